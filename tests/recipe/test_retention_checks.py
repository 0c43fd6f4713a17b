"""What is refused of a retention gate when the recipe is read, and what a look costs by arithmetic."""

from __future__ import annotations

import pytest

from prism.recipe import Recipe, RecipeErrors, load_recipe
from prism.recipe.retention_checks import general_sources, missing_retention_files, retention_cost, retention_files

GATE = "midtrain.retention"
HOLDOUT = ("data.sources.general.holdout=0.01", "data.sources.arithmetic.holdout=0.01")
FACTS = (f"{GATE}.measures.facts.kind=choice", f"{GATE}.measures.facts.path=facts_of_ours.jsonl")


def recipe(*overrides: str) -> Recipe:
    """The miniature without its own gate, and with documents held out."""
    return load_recipe("miniature", [*HOLDOUT, f"{GATE}=null", *overrides])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([f"{GATE}.action=switch"], "action switch needs a blend to switch to"),
        ([f"{GATE}.switch_to=base"], "action stop never switches"),
        ([f"{GATE}.action=switch", f"{GATE}.switch_to=bse"], "unknown blend bse.*did you mean base"),
        ([f"{GATE}.every_steps=9", "data.sources.general.holdout=0"], "no source of domain general .* holds documents"),
        ([f"{GATE}.measures.a.kind=text", f"{GATE}.measures.a.sources=[genral]"], "unknown source genral"),
        ([f"{GATE}.measures.a.kind=text", f"{GATE}.measures.a.sources=[math]"], "math holds no document out"),
        ([f"{GATE}.measures.a.kind=text", f"{GATE}.measures.a.given_tokens=64"], "of 64 tokens 64 are given"),
        ([f"{GATE}.measures.a.kind=speech"], "measures"),
        ([f"{GATE}.every_steps=9", "pipeline.base.with.blend=bse"], r"base\.with\.blend: unknown blend bse"),
        ([f"{GATE}.every_steps=9", "pipeline.base.with.steps=none"], r"base\.with\.steps"),
        ([f"{GATE}.every_steps=9", "data.blends.base={genral: 100}"], "base.genral: unknown source genral"),
        ([f"{GATE}.every_steps=9", "pipeline.mid.from=bse"], "unknown stage bse"),
        ([f"{GATE}.every_steps=9", "pipeline.base={stage: merge, from: mid}"], "from itself"),
    ],
)
def test_what_can_not_work_is_refused_with_its_place(overrides: list[str], said: str) -> None:
    with pytest.raises(RecipeErrors, match=said):
        recipe(*overrides)


def test_a_stage_that_starts_from_nothing_may_have_the_section(tmp_path: object) -> None:
    assert recipe(f"{GATE}.every_steps=44").training_config("base").retention is not None
    assert retention_files(recipe(*FACTS), "base") == []


def test_general_sources_are_those_that_the_stage_before_saw_and_held_out() -> None:
    assert general_sources(recipe(), "mid") == ["general"]
    both = recipe("data.sources.song.holdout=0.1")
    assert general_sources(both, "mid") == ["general", "song"]
    assert general_sources(both, "rl") == ["general"]  # mid's blend has no songs


def test_a_file_that_is_missing_is_named() -> None:
    made, ours = recipe(*FACTS[:1], f"{GATE}.measures.facts.path=world/facts.jsonl"), recipe(*FACTS)
    assert retention_files(made, "mid") == ["world/facts.jsonl"]
    assert not list(missing_retention_files(made, "mid"))
    (finding,) = missing_retention_files(ours, "mid")
    assert finding.message == "missing file facts_of_ours.jsonl"


def test_the_cost_of_a_look_is_a_third_of_its_tokens_over_those_between_looks() -> None:
    gate = (f"{GATE}.every_steps=44", f"{GATE}.measures.a.kind=text", f"{GATE}.measures.a.documents=300")
    assert retention_cost(recipe(*gate).training_config("mid")) == pytest.approx(300 * 64 / 3 / (44 * 1024))
    short = recipe(*gate, f"{GATE}.measures.a.document_tokens=20", f"{GATE}.measures.a.given_tokens=1")
    assert retention_cost(short.training_config("mid")) == pytest.approx(300 * 20 / 3 / (44 * 1024))
    paper = load_recipe("granite_3_3_8b/math_code_science", ["data.sources.dclm_edu.holdout=0.0001", f"{GATE}={{}}"])
    config = paper.training_config("mid")
    assert config.retention is not None and config.retention.interval(config.steps) == 500
    assert retention_cost(config) < 0.001
