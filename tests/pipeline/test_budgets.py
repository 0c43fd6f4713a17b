"""What stages take of blends."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from data_prep.errors import DataError
from data_prep.schema import Packing
from prism.errors import RecipeError
from prism.pipeline.budgets import blend_budgets, blend_uses, forecast
from prism.recipe import Recipe, load_recipe

STAGES = {
    "one": {"stage": "pretrain", "with": {"blend": "base", "steps": 10}},
    "two": {
        "stage": "midtrain",
        "from": "one",
        "with": {"blend": "math", "steps": 30, "blend_changes": {20: "math_code", 25: "math"}},
    },
    "three": {"stage": "midtrain", "from": "two", "with": {"blend": "math", "steps": 8, "sequence_length": 128}},
    "packed": {
        "stage": "extend",
        "from": "three",
        "with": {"blend": "math", "steps": 5, "packing": "best_fit", "micro_batch_size": 1},
    },
}


def recipe(folder: Path, *overrides: str) -> Recipe:
    """The miniature with STAGES in place of its own."""
    miniature = load_recipe("miniature")
    values = {
        "extends": "miniature.yaml",
        "pipeline": {**dict.fromkeys(miniature.pipeline), **STAGES},
        "claims": dict.fromkeys(miniature.claims),
        "analyze": {"pairs": None, "relations": [], "landscape": None},
    }
    (folder / "stages.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return load_recipe(folder / "stages.yaml", [f"run.directory={folder}", *overrides])


def test_a_blend_is_used_once_for_each_packing_with_the_most_that_a_stage_takes(tmp_path: Path) -> None:
    uses = {(use.blend, use.packing): use for use in blend_uses(recipe(tmp_path))}
    math = uses["math", None]
    # two takes steps 0 to 20 and 25 to 30, 16 sequences of 64 each; three 8 steps of 16 sequences of 128.
    assert (math.tokens, math.samples, math.stages) == (25 * 16 * 64, 25 * 16, ("two", "three"))
    assert math.tokens_per_step == 16 * 64
    assert uses["math_code", None].samples == 5 * 16
    assert uses["math", Packing(capacity=64)].tokens == 5 * 16 * 64


def test_a_blend_that_no_stage_uses_has_midtrains_numbers(tmp_path: Path) -> None:
    (unused,) = (use for use in blend_uses(recipe(tmp_path)) if use.blend == "no_general")
    assert (unused.packing, unused.samples, unused.tokens, unused.stages) == (None, 878 * 16, 878 * 16 * 64, ())


def test_a_budget_is_the_largest_of_a_blends_uses(tmp_path: Path) -> None:
    assert blend_budgets(recipe(tmp_path)) == {
        "base": 10 * 16 * 64,
        "math_code_science": 878 * 16 * 64,
        "math_code": 5 * 16 * 64,
        "math": 25 * 16 * 64,
        "no_general": 878 * 16 * 64,
    }


def test_a_forecast_needs_the_tokens_of_the_blends_sources_only(tmp_path: Path) -> None:
    expected = [f"data.sources.{name}.tokens_billion=0.001" for name in ("general", "math")]
    loaded = recipe(tmp_path, *expected)
    assert [source.available for source in forecast(loaded, "math").sources] == [1_000_000, 1_000_000]
    with pytest.raises(DataError, match=r"^data\.sources\.code: source code isn't prepared"):
        forecast(loaded, "math_code")


def test_a_domain_in_a_blend_is_forecast_by_the_tokens_of_its_sources(tmp_path: Path) -> None:
    sizes = {"general": 1, "math": 3, "arithmetic": 1}
    expected = [f"data.sources.{name}.tokens_billion={size}" for name, size in sizes.items()]
    loaded = recipe(tmp_path, *expected, "data.blends.mixed={general: 20, 'domain:math': 80}")
    weights = {source.name: source.weight_percent for source in forecast(loaded, "mixed").sources}
    assert weights == pytest.approx({"general": 20, "arithmetic": 20, "math": 60})


@pytest.mark.parametrize(
    ("blend", "message"),
    [
        ("{general: 20, 'domain:maths': 80}", "no source is of domain 'maths'. Remedy: did you mean math?"),
        ("{math: 20, code: 40, 'domain:code': 40}", "the blend names every source of domain code itself"),
        ("{general: .nan}", "weight nan isn't a finite number"),
        ("{general: .inf}", "weight inf isn't a finite number"),
        ("{general: 100, 'domain:math': 0}", "weight 0 isn't above 0"),
    ],
)
def test_what_is_wrong_with_a_blend_is_found_before_anything_runs(blend: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(tmp_path, f"data.blends.mixed={blend}")
