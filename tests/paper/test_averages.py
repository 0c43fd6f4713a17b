"""Averages recomputed from the paper's own figures."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from prism.evaluate.task import task_names
from prism.paper import (
    above_chance,
    benchmarks,
    combine,
    contradictions,
    macro_average,
    mean_of,
    paper_table,
    paper_tables,
)

TOLERANCE = 0.05


def recomputed() -> dict[tuple[int, str, str, str], tuple[float, float]]:
    """Published and recomputed average of every row that has an average with all its benchmarks."""
    found = {}
    for number, table in paper_tables().items():
        for row in table.rows:
            values = {column: table.value(row, column) for column in table.columns}
            for average in benchmarks().averages:
                published, ours = values.get(average), mean_of(average, values)
                if published is not None and ours is not None:
                    found[number, row.model, ",".join(row.at.values()), average] = (published, ours)
    return found


def test_the_papers_averages_follow_from_its_benchmarks_but_for_one() -> None:
    averages = recomputed()
    assert len(averages) == 131
    off = {place: both for place, both in averages.items() if abs(both[0] - both[1]) > TOLERANCE}
    assert list(off) == [(19, "granite_3_3_8b", "math_code", "math_avg")]
    assert off[19, "granite_3_3_8b", "math_code", "math_avg"] == (44.33, pytest.approx(44.9967, abs=1e-4))


def test_every_average_of_every_kind_was_recomputed() -> None:
    assert {place[3] for place in recomputed()} == {"lb_v1", "lb_v2", "code_avg", "math_avg", "avg"}
    assert {place[0] for place in recomputed()} == {4, 6, 7, 11, 19, 20}


def test_the_one_that_is_off_is_listed_with_what_it_should_be() -> None:
    one = contradictions()["granite_math_code_math_avg"]
    assert one.recomputed == pytest.approx(44.9967, abs=0.005)
    assert {(cell.table, cell.value) for cell in one.figures} == {(5, 44.99), (7, 44.99), (11, 44.99), (19, 44.33)}


def test_the_macro_average_weighs_domains_alike_whatever_their_benchmarks() -> None:
    # LLaMA-3.1 after mid-training and RL on math, code and science, Table 11: 29.69.
    values = {"lcb": 14.34, "cf": 12.07, "aime24": 20.42, "aime25": 22.08, "math500": 77.03, "gpqa_d": 36.03}
    assert mean_of("avg", values) == pytest.approx(29.69, abs=0.005)
    assert macro_average([14.34, 12.07], [20.42, 22.08, 77.03], 36.03) == pytest.approx(29.69, abs=0.005)
    assert sum(values.values()) / 6 == pytest.approx(30.33, abs=0.005)


def test_an_average_with_a_benchmark_missing_is_none() -> None:
    assert mean_of("math_avg", {"aime24": 10.0, "aime25": 20.0}) is None
    assert mean_of("code_avg", {"lcb": 10.0, "cf": None}) is None
    assert mean_of("avg", {"code_avg": 10.0, "math_avg": 20.0, "gpqa_d": 30.0}) is None


def test_the_interval_of_a_mean_is_that_of_independent_estimates() -> None:
    value, low, high = combine([(10.0, 7.0, 12.0), (20.0, 16.0, 26.0)])
    assert (value, low, high) == (15.0, pytest.approx(15 - 5 / 2), pytest.approx(15 + 40**0.5 / 2))
    assert combine([(10.0, 7.0, 12.0)]) == (10.0, 7.0, 12.0)
    with pytest.raises(ValueError, match="at least one part"):
        combine([])


def test_the_interval_of_a_mean_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = random.Random(7)
    deviations = (1.0, 2.0, 0.5)
    covered = 0
    for _ in range(2_000):
        parts = [(draw.gauss(0, one), one) for one in deviations]
        _value, low, high = combine([(value, value - 1.96 * one, value + 1.96 * one) for value, one in parts])
        covered += low <= 0 <= high
    assert covered / 2_000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("accuracy", "choices", "score"), [(0.25, 4, 0), (1, 4, 1), (0.625, 4, 0.5), (0.3, 2, 0)])
def test_what_guessing_gives_counts_as_nothing(accuracy: float, choices: int, score: float) -> None:
    assert above_chance(accuracy, choices) == pytest.approx(score)


def test_every_task_of_a_benchmark_of_the_boards_is_one_of_ours() -> None:
    known = benchmarks()
    parts = [part for board in ("lb_v1", "lb_v2") for part in known.averages[board].parts]
    assert len(parts) == 12
    assert {task for part in parts for task in known.benchmarks[part].tasks} <= set(task_names())


def test_plain_accuracy_of_guessing_alone_is_above_some_of_the_papers_lb_v2() -> None:
    known = benchmarks()
    guessed = []
    for part in known.averages["lb_v2"].parts:
        choices = known.benchmarks[part].choices
        each = list(choices.values()) if isinstance(choices, Mapping) else [choices] if choices else []
        guessed.append(sum(100 / one for one in each) / len(each) if each else 0.0)
    table = paper_table(6)
    lowest = min(value for row in table.rows if (value := table.value(row, "lb_v2")) is not None)
    assert lowest < sum(guessed) / 6
