"""`prism analyze cka`, `landscape`, `confidence`, `solvability`: what they print, write and leave with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from data_prep.files import read_jsonl, write_jsonl
from prism.cli import app
from prism.errors import PrismError
from tests.analyze.made import bits_task, input_set, model, nearby
from tests.report import made_up_run

pytestmark = pytest.mark.xdist_group("analysed_models")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("commands")
    base = model(root / "base", 1)
    mid = nearby(base, root / "mid", 0.2, 2)
    nearby(mid, root / "rl", 0.02, 3)
    model(root / "deep", 4, num_hidden_layers=2)
    input_set(root / "set.jsonl", 12, 1)
    bits_task(root)
    return root


@pytest.fixture
def here(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that has the models in it."""
    for one in models.iterdir():
        (tmp_path / one.name).symlink_to(one)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def run(here: Path) -> Path:
    """A made-up miniature whose samples tell their probability."""
    made_up_run.write_miniature(here / "runs/miniature", steps=10, rl_steps=20)
    for path in (here / "runs/miniature/stages").glob("*/evaluate/*.samples.jsonl"):
        rows = list(read_jsonl(path))
        for row in rows:
            for number, one in enumerate(row["responses"]):
                one["nll"] = 0.2 + 0.1 * number
        write_jsonl(path, rows)
    return here / "runs/miniature"


def prism(*words: str) -> Result:
    return CliRunner().invoke(app, ["analyze", *words])


def test_cka_of_three_models_is_shown_and_written(here: Path) -> None:
    done = prism("cka", "base", "mid", "rl", "--inputs", "set=set.jsonl", "--names", "b,m,r", "--layers",
                 "--json", "out/cka.json", "--csv", "out/cka.csv")  # fmt: skip
    assert done.exit_code == 0, done.output
    for pair in ("b -> m: linear CKA", "m -> r on set", "b -> r"):
        assert pair in done.output
    content = json.loads((here / "out/cka.json").read_text())
    assert content["schema_version"] == 1 and content["inputs"]["set"]["count"] == 12
    assert [one["name"] for one in content["checkpoints"]] == ["b", "m", "r"]
    least = {(one["before"], one["after"]): one["minimum"] for one in content["comparisons"]}
    assert least["m", "r"] > least["b", "m"]
    rows = list(csv.DictReader((here / "out/cka.csv").open()))
    assert len(rows) == 3 * (4 + 16) and {row["level"] for row in rows} == {"layer", "matrix"}
    assert len(list((here / "out/hidden").glob("*.safetensors"))) == 3


def test_models_of_other_depth_are_shown_by_their_most_alike_layers(here: Path) -> None:
    done = prism("cka", "base", "deep", "--inputs", "set=set.jsonl", "--by", "matrix")
    assert done.exit_code == 0 and "base -> deep on set: the most alike layer" in done.output
    failed = prism("cka", "base", "deep", "mid", "--inputs", "set=set.jsonl", "--json", "part.json")
    assert isinstance(failed.exception, PrismError) and "--by matrix" in str(failed.exception)
    kept = json.loads((here / "part.json").read_text())["comparisons"]
    assert [(one["before"], one["after"]) for one in kept] == [("base", "mid")]


def test_the_landscape_is_shown_and_written(here: Path) -> None:
    done = prism("landscape", "base", "mid", "rl", "--task", "texts.yaml", "--points", "2", "--out", "land.json")
    assert done.exit_code == 0, done.output
    assert "bits_per_byte of texts along the path base -> mid -> rl" in done.output
    content = json.loads((here / "land.json").read_text())
    assert content["complete"] and len(content["points"]) == 4 and content["settings"]["limit"] == 200
    assert not (here / "land.points/weights").exists()


def test_confidence_of_stages_and_folders(run: Path, here: Path) -> None:
    folder = str(run / "stages/rl/evaluate")
    done = prism("confidence", "runs/miniature:mid", folder, "--json", "c.json", "--csv", "c.csv")
    assert done.exit_code == 0, done.output
    assert "all tasks" in done.output and "runs/miniature:mid" in done.output
    found = json.loads((here / "c.json").read_text())["sources"]
    assert set(found[folder]) == {"miniature_math", "miniature_code", "miniature_science", "all tasks"}
    assert found[folder]["miniature_math"]["overall"]["responses"] == 10
    assert found[folder]["miniature_math"]["overall"]["mean_nll"] == pytest.approx(0.25)
    assert len(list(csv.DictReader((here / "c.csv").open()))) == 8
    one = prism("confidence", "runs/miniature:mid", "--task", "miniature_math", "--json", "-")
    assert set(json.loads(one.stdout)["sources"]["runs/miniature:mid"]) == {"miniature_math"}


def test_solvability_of_an_rl_stage(run: Path, here: Path) -> None:
    done = prism("solvability", "runs/miniature:rl", "--window", "5", "--json", "s.json", "--csv", "s.csv")
    assert done.exit_code == 0, done.output
    assert "prompts that were 0/16 before:" in done.output and "16-20" in done.output
    never, once = json.loads((here / "s.json").read_text())["prompts"]
    assert (never["before"], once["before"], len(never["windows"])) == ("0/16", "1/16", 4)
    assert once["windows"][-1]["rate"] > once["windows"][0]["rate"]
    assert all(row["low"] <= row["rate"] <= row["high"] for row in [*never["windows"], *once["windows"]])
    assert len(list(csv.DictReader((here / "s.csv").open()))) == 8


WRONG = {
    "one model": (["cka", "base"], 2, "a model is compared with another"),
    "no sets": (["cka", "base", "mid"], 2, "no input sets: no run was named"),
    "a set without a name": (["cka", "base", "mid", "--inputs", "set.jsonl"], 2, "isn't NAME=FILE"),
    "two sets of a name": (
        ["cka", "base", "mid", "--inputs", "a=set.jsonl", "--inputs", "a=set.jsonl"], 2, "two sets have one name",
    ),
    "no such model": (["cka", "base", "nowhere", "--inputs", "a=set.jsonl"], 2, "neither a run's stage nor a Hugging"),
    "no such stage": (["cka", "base", "runs/miniature:nowhere"], 2, "no stage nowhere that leaves a checkpoint"),
    "no such set": (["cka", "base", "mid", "--inputs", "a=none.jsonl"], 4, "the input set is missing"),
    "no such task": (
        ["landscape", "base", "mid", "rl", "--task", "nothing", "--out", "l.json"], 2, "no task nothing",
    ),
    "other depth": (
        ["landscape", "base", "mid", "deep", "--task", "texts.yaml", "--out", "l.json"], 4, "num_layers is 4 and 2",
    ),
    "not evaluated": (["confidence", "base"], 4, "no sampled response"),
    "no such samples": (["confidence", "runs/miniature:mid", "--task", "gsm8k"], 4, "no samples of gsm8k"),
    "nowhere": (["confidence", "nowhere"], 2, "neither a run's stage nor"),
    "no RL": (["solvability", "runs/miniature:mid"], 2, "a midtrain stage, not RL"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_call_is_told_in_one_line(run: Path, kind: str) -> None:
    words, code, said = WRONG[kind]
    done = prism(*words)
    assert isinstance(done.exception, PrismError), done.output
    assert (done.exception.exit_code, said in str(done.exception)) == (code, True), str(done.exception)
    assert "Remedy: " in str(done.exception)


def test_rl_without_a_difficulty_stage_or_without_counts_is_told(run: Path) -> None:
    recipe = run / "recipe.yaml"
    text = recipe.read_text()
    metrics = run / "stages/rl/metrics.jsonl"
    rows = list(read_jsonl(metrics))
    write_jsonl(metrics, [{key: value for key, value in row.items() if key != "hard_prompts"} for row in rows])
    assert "counts no hard prompts" in str(prism("solvability", "runs/miniature:rl").exception)
    write_jsonl(metrics, [{**row, "hard_prompts": {}} for row in rows])
    assert "no prompt that RL drew had 0 or 1" in str(prism("solvability", "runs/miniature:rl").exception)
    metrics.unlink()
    assert "the stage hasn't run" in str(prism("solvability", "runs/miniature:rl").exception)
    recipe.write_text(text.replace("prompts_from: hard", "prompts_from: null"))
    assert "no difficulty stage measured its prompts" in str(prism("solvability", "runs/miniature:rl").exception)
