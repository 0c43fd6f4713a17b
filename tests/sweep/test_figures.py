"""The figures of a sweep: checked before anything runs, absent until what they are read from is finished."""

from __future__ import annotations

import pytest

from prism.errors import RecipeError
from prism.sweep.figures import nodes_of, read_figures
from prism.sweep.members import expand
from tests.sweep.conftest import WriteSweep


def sweep_with(figure: str, more: str = "") -> str:
    return f"recipe: miniature\nmembers: {{a: {{}}}}\nfigures:\n  mine: {figure!r}\n{more}"


@pytest.mark.parametrize(
    ("figure", "nodes"),
    [
        ("pass_rate('mid', 'math')", ("evaluate:mid",)),
        ("pass_rate('rl') - pass_rate('mid')", ("evaluate:rl", "evaluate:mid")),
        ("100 * accuracy('base', 'miniature_facts') / pass_rate('mid')", ("evaluate:base", "evaluate:mid")),
        ("relative_l2('base', 'mid') / relative_l2('mid', 'rl')", ("analyze:base:mid", "analyze:mid:rl")),
        ("spread('mid', 'mid_math')", ("evaluate:mid", "evaluate:mid_math")),
        ("ruler('mid', 256)", ("evaluate:mid",)),
    ],
)
def test_only_what_a_figure_is_read_from_is_run(write: WriteSweep, figure: str, nodes: tuple[str, ...]) -> None:
    sweep = expand(write(sweep_with(figure)))
    found = nodes_of(sweep, sweep.runs[0])
    assert sorted(found) == sorted(nodes)


def test_only_takes_the_place_of_what_the_figures_need(write: WriteSweep) -> None:
    sweep = expand(write(sweep_with("pass_rate('mid')", "only: ['evaluate:mid*']")))
    assert {"evaluate:mid", "evaluate:mid_math", "data"} <= set(nodes_of(sweep, sweep.runs[0]))


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        ("pass_rate('mids')", "mine.yaml:4: unknown stage mids. Remedy: did you mean mid?"),
        ("pass_rate('mid') + pass_rate('mids')", "unknown stage mids"),
        ("accuracy('mid', 'miniature_fact')", "unknown task miniature_fact. Remedy: did you mean miniature_facts?"),
        ("pass_rates('mid')", "unknown function pass_rates. Remedy: did you mean pass_rate?"),
        ("pass_rate(mid)", "unknown name mid. Remedy: quote it if it is a stage"),
        ("pass_rate('mid'", "can't read"),
        ("1 + 1", "'1 + 1' reads no figure of a run"),
        ("relative_l2('mid', 'mid_math')", "[mid, mid_math] aren't compared. Remedy: add the pair to analyze.pairs"),
    ],
)
def test_a_figure_that_cant_be_read_is_told_before_anything_runs(write: WriteSweep, figure: str, line: str) -> None:
    sweep = expand(write(sweep_with(figure)))
    with pytest.raises(RecipeError) as caught:
        nodes_of(sweep, sweep.runs[0])
    assert line in str(caught.value)


def test_a_stage_that_isnt_evaluated_has_no_pass_rate(write: WriteSweep) -> None:
    sweep = expand(write(sweep_with("pass_rate('mid')", "overrides: {pipeline.mid.evaluate: false}")))
    with pytest.raises(RecipeError, match=r"stage mid isn't evaluated. Remedy: set evaluate.tasks"):
        nodes_of(sweep, sweep.runs[0])


def test_a_run_that_has_not_begun_has_reasons_in_place_of_figures(write: WriteSweep) -> None:
    sweep = expand(write(sweep_with("pass_rate('mid')")))
    reading = read_figures(sweep, sweep.runs[0])["mine"]
    assert (reading.value, reading.reason) == (None, "data isn't finished")
