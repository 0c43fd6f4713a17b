"""`prism analyze`: what the commands print, write and leave with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from prism.cli import app
from prism.errors import PrismError
from tests.analyze.weights.naive import moved
from tests.longcontext.made import hf


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """base, mid and rl in bf16, and wide in fp32; the folder is the working directory."""
    base = hf(tmp_path / "base", 0)
    mid = moved(base, tmp_path / "mid", 0.1, 1)
    moved(mid, tmp_path / "rl", 0.003, 2)
    hf(tmp_path / "wide", 0, dtype=torch.float32)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def prism(*words: str) -> Result:
    return CliRunner().invoke(app, ["analyze", *words])


def test_three_checkpoints_are_shown_pair_by_pair_with_their_precision(three: Path) -> None:
    done = prism("weights", "base", "mid", "rl", "--json", "out.json", "--csv", "out.csv", "--layers", "--matrices")
    assert done.exit_code == 0, done.output
    for title in ("base -> mid (bf16 export, bfloat16)", "mid -> rl (bf16 export", "base -> rl (bf16 export"):
        assert title in done.output
    assert "base -> mid against mid -> rl" in done.output
    assert "model.layers.3.mlp.down_proj.weight" in done.output
    content = json.loads((three / "out.json").read_text())
    assert content["schema_version"] == 1
    assert [one["thresholds_percent"] for one in content["comparisons"]] == [[0.1, 0.5, 1.0, 2.0, 5.0, 10.0]] * 3
    assert not list(three.glob(".*partial*"))
    rows = list(csv.DictReader((three / "out.csv").open()))
    total = next(row for row in rows if (row["before"], row["after"], row["name"]) == ("mid", "rl", "total"))
    assert float(total["relative_l2"]) == content["comparisons"][1]["total"]["relative_l2"]
    assert {row["level"] for row in rows} == {"all", "component", "sub_component", "layer", "matrix"}


def test_figures_can_be_printed_as_json_alone(three: Path) -> None:
    done = prism("weights", "base", "mid", "--json", "-", "--thresholds", "5,1", "--names", "B,M")
    (one,) = json.loads(done.stdout)["comparisons"]
    assert (one["before"], one["after"], one["thresholds_percent"]) == ("B", "M", [1.0, 5.0])


def test_fp32_is_shown_in_bf16_too_and_told_apart_from_the_papers(three: Path) -> None:
    done = prism("weights", "wide", "wide")
    assert "wide -> wide (fp32 master, float32)" in done.output
    assert "wide -> wide (rounded to bf16)" in done.output
    assert "compare them with the second table only" in done.output
    assert "paper" not in prism("weights", "base", "mid").output


def test_directions_footprint_and_trajectory_are_shown(three: Path) -> None:
    assert "base -> mid against base -> rl" in prism("directions", "base", "mid", "rl").output
    found = prism("footprint", "base", "mid", "mid", "rl", "--json", "foot.json").output
    assert "relative L2 by sub-component: Pearson" in found
    assert set(json.loads((three / "foot.json").read_text())["footprint"]) == {
        "l2_by_matrix",
        "l2_by_sub_component",
        "changed_by_matrix",
    }
    series = prism("trajectory", "base", "mid", "rl", "--json", "series.json", "--csv", "series.csv")
    assert series.exit_code == 0, series.output
    assert "against base" in series.output
    assert [point["name"] for point in json.loads((three / "series.json").read_text())["points"]] == ["mid", "rl"]
    assert {row["after"] for row in csv.DictReader((three / "series.csv").open())} == {"mid", "rl"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["weights", "base", "nowhere"], "nowhere: no such folder"),
        (["weights", "base", "mid", "--thresholds", "1,x"], "isn't a list of different percentages"),
        (["weights", "base", "mid", "--thresholds", "1,1"], "isn't a list of different percentages"),
        (["weights", "base", "mid", "--names", "a"], "isn't a name for each of 2 checkpoints"),
        (["directions", "base", "mid"], "a direction is compared with another"),
        (["trajectory", "base"], "needs a start and a checkpoint after it"),
    ],
)
def test_wrong_usage_leaves_with_2(three: Path, words: list[str], message: str) -> None:
    done = prism(*words)
    assert isinstance(done.exception, PrismError)
    assert done.exception.exit_code == 2
    assert message in str(done.exception)


def test_a_recipe_is_still_analysed_by_its_name() -> None:
    done = prism("no_such_recipe")
    assert isinstance(done.exception, PrismError)
    assert "no_such_recipe" in str(done.exception)
