"""From a sweep file to runs: members, grids and seeds, and errors that name the sweep file's line."""

from __future__ import annotations

import pytest

from prism.errors import RecipeError, UsageError, UserError
from prism.sweep.members import MOST_RUNS, at_key, expand
from tests.sweep.conftest import WriteSweep


def test_every_member_is_run_with_every_seed_in_a_folder_of_its_own(write: WriteSweep) -> None:
    sweep = expand(
        write("""
        seeds: [1, 2]
        members:
          few: {overrides: {midtrain.steps: 100}}
          many: {overrides: [midtrain.steps=200, midtrain.optimizer.learning_rate=1.0e-3]}
        """),
        ["run.directory=/elsewhere"],
    )
    found = {str(run.directory): (run.recipe.midtrain.steps, run.recipe.run.seed) for run in sweep.runs}
    assert found == {
        "/elsewhere/mine/few-seed1": (100, 1),
        "/elsewhere/mine/few-seed2": (100, 2),
        "/elsewhere/mine/many-seed1": (200, 1),
        "/elsewhere/mine/many-seed2": (200, 2),
    }
    assert sweep.of("many")[0].recipe.midtrain.optimizer.learning_rate == 1e-3


def test_a_grid_has_a_member_for_every_combination(write: WriteSweep) -> None:
    sweep = expand(write("grid: {midtrain.steps: [1, 2], midtrain.optimizer.learning_rate: [1.0e-5, 0.1]}"))
    assert [run.name for run in sweep.runs] == [
        "steps-1_learning_rate-1e-05",
        "steps-1_learning_rate-0.1",
        "steps-2_learning_rate-1e-05",
        "steps-2_learning_rate-0.1",
    ]
    assert sweep.runs[2].recipe.midtrain.optimizer.learning_rate == 1e-5


def test_a_setting_for_all_lies_below_the_members_own(write: WriteSweep) -> None:
    file = write("overrides: {midtrain.steps: 5}\nmembers: {one: {overrides: {midtrain.steps: 6}}, other: {}}")
    assert [run.recipe.midtrain.steps for run in expand(file).runs] == [6, 5]
    other = expand(file, ["rl.steps=3"], recipe="miniature_hybrid")
    assert {(run.recipe.rl.steps, run.recipe.model.hybrid_pattern is None) for run in other.runs} == {(3, False)}


def test_a_place_on_the_axis_is_a_recipe_key_or_a_key_of_a_stage(write: WriteSweep) -> None:
    recipe = expand(write("members: {one: {overrides: {pipeline.mid.with.steps: 7}}}")).runs[0].recipe
    assert at_key(recipe, "midtrain.sequence_length", "x") == 64
    assert at_key(recipe, "mid.steps", "x") == 7
    assert at_key(recipe, "mid.tokens", "x") == 7 * 16 * 64
    assert at_key(recipe, "pipeline.mid.from", "x") == "base"
    with pytest.raises(RecipeError, match=r"mid\.stepz: no such key stepz\. Remedy: did you mean steps\?"):
        at_key(recipe, "mid.stepz", "x")


WRONG = {
    "unknown key of a member": (
        "members:\n  a: {}\n  b:\n    overrides:\n      midtrain.stepz: 1",
        "mine.yaml:7: member b: midtrain.stepz: unknown key. Remedy: did you mean steps?",
    ),
    "unknown key in a list": (
        "members:\n  b:\n    overrides:\n      - midtrain.stepz=1",
        "mine.yaml:6: member b: midtrain.stepz: unknown key. Remedy: did you mean steps?",
    ),
    "unknown key of a grid": ("grid: {midtrain.stepz: [1]}", "midtrain.stepz: unknown key"),
    "wrong value": ("members: {b: {overrides: {midtrain.steps: lots}}}", "member b: midtrain.steps: 'lots' isn't"),
    "key=value without =": ("members: {b: {overrides: [midtrain.steps]}}", "takes key=value, got 'midtrain.steps'"),
    "two grid values of one name": ("grid: {midtrain.steps: [1, 1]}", "two members are called steps-1"),
    "two members of one name": ("members:\n  a: {}\n  a: {}", "mine.yaml:5: not valid YAML (a is set twice)"),
    "name that can't be a folder": ("members: {a/b: {}}", "a member can't be called 'a/b'"),
    "unknown key of the sweep": ("member: {a: {}}", "member: unknown key. Remedy: did you mean members?"),
    "no members": ("about: nothing", "the sweep has neither members nor grid"),
    "members and grid": ("members: {a: {}}\ngrid: {midtrain.steps: [1]}", "both members and grid"),
    "seed twice": ("seeds: [1, 1]\nmembers: {a: {}}", "seed 1 stands twice"),
    "another release's": ("schema_version: 9\nmembers: {a: {}}", "schema_version 9, this release reads 1 of a sweep"),
    "no recipe": ("recipe: minature\nfigures: {a: x}\nmembers: {a: {}}", "did you mean miniature?"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_says_what_where_and_what_to_do(write: WriteSweep, name: str) -> None:
    text, line = WRONG[name]
    with pytest.raises(UserError) as caught:
        expand(write(text))
    assert line in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_sweep_that_is_too_large_has_to_be_meant(write: WriteSweep) -> None:
    file = write(f"grid: {{midtrain.steps: {list(range(1, MOST_RUNS + 2))}}}")
    with pytest.raises(UsageError, match=f"{MOST_RUNS + 1} runs, more than {MOST_RUNS}.*--yes"):
        expand(file)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("midtrain.steps=3", "members differ"),
        ("midtrain={steps: 3}", "members differ"),
        ("run.seed=3", "has seeds"),
        ("run.name=x", "its own"),
    ],
)
def test_what_members_differ_in_cant_be_set_for_all(write: WriteSweep, override: str, reason: str) -> None:
    file = write("seeds: [1, 2]\nmembers: {a: {overrides: {midtrain.steps: 1}}}")
    with pytest.raises(UsageError, match=reason):
        expand(file, [override])
