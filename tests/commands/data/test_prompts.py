"""`prism data prompts`, and fetching what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_prep.fetch import requests_of
from prism.commands.data import app
from prism.errors import UsageError
from prism.recipe import load_recipe
from prism.recipe.prompt_sets import with_prompt_sources
from tests.data_prep.prompts.published import EVALUATION, write_math, write_science
from tests.data_prep.sources.layout import write_rows

RECIPE = """
schema_version: 1
extends: {small}
run: {{name: mine, directory: {root}/runs}}
data:
  root: {root}
  decontamination: {{sets: {{bakery: {{path: {root}/evaluation/bakery.jsonl}}}}}}
rl:
  prompts:
    math: {{path: null, sources: [deepscaler, intellect_2, skywork_or1_math], draw: {{deepscaler: 30}}}}
    science: {{path: null, sources: [nemotron_stem]}}
  mix: {{math: 50, science: 50}}
pipeline:
  base: {{with: {{steps: 2}}}}
  rl: {{stage: rl, from: base}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_math(tmp_path)
    write_science(tmp_path)
    write_rows(tmp_path / "evaluation/bakery.jsonl", [{"question": EVALUATION}])
    path = tmp_path / "mine.yaml"
    small = Path(__file__).parents[2] / "pipeline" / "small.yaml"
    path.write_text(RECIPE.format(root=tmp_path, small=small))
    return path


def test_the_sets_are_made_and_every_drop_is_told(recipe: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["prompts", str(recipe)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for line in (
        "math: 42 prompts",
        "1 question of bakery",
        "2 asked before, 1 with another answer",
        "10 not drawn",
        "1 the answer is a proof",
        "science: 2 prompts",
        "1 no lettered options in the question",
    ):
        assert line in result.output, result.output
    assert len((tmp_path / "runs/mine/data/prompts/math.jsonl").read_text().splitlines()) == 42
    assert not (tmp_path / "runs/mine/data/prompts/code.jsonl").exists()
    assert "skipped: unchanged" in CliRunner().invoke(app, ["prompts", str(recipe)]).output


def test_a_recipe_whose_stages_read_no_sources_is_refused() -> None:
    result = CliRunner().invoke(app, ["prompts", "miniature"])
    assert isinstance(result.exception, UsageError)


def test_what_the_stages_read_is_fetched_and_other_sets_by_name(recipe: Path) -> None:
    loaded = load_recipe(recipe)
    fetched = {request.name: request.hub for request in requests_of(with_prompt_sources(loaded))}
    assert fetched["deepscaler"] == "agentica-org/DeepScaleR-Preview-Dataset"
    assert {"deepscaler", "intellect_2", "skywork_or1_math", "nemotron_stem"} <= set(fetched)
    paper = load_recipe("granite_3_3_8b/math_code", ["pipeline.rl=null", "pipeline.hard=null"])
    assert "deepcoder" not in {request.name for request in requests_of(with_prompt_sources(paper))}
    (named,) = requests_of(with_prompt_sources(paper, ["deepcoder"]), ["deepcoder"])
    assert named.path.endswith("/deepcoder")
