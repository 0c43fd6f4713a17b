"""What is broken is named with its place and a remedy, on one line; what is whole is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from data_prep.errors import UserError
from prism.cli import app
from prism.errors import PrismError
from tests.analyze.made import bits_task, input_set, model, nearby
from tests.report import made_up_run

pytestmark = pytest.mark.xdist_group("broken_inputs")

Break = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints of one chain, a set of inputs, a task and a finished run."""
    root = tmp_path_factory.mktemp("whole")
    base = model(root / "base", 1)
    mid = nearby(base, root / "mid", 0.2, 2)
    nearby(mid, root / "rl", 0.02, 3)
    input_set(root / "set.jsonl", 12, 1)
    bits_task(root)
    made_up_run.write_miniature(root / "run", steps=10, rl_steps=20)
    return root


@pytest.fixture
def here(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    task = tmp_path / "texts.yaml"
    task.write_text(task.read_text().replace(str(whole), str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prism(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def tensors(change: Callable[[dict[str, torch.Tensor]], None]) -> Break:
    """Changes the weights of `rl`."""

    def apply(root: Path) -> None:
        (file,) = (root / "rl").glob("*.safetensors")
        held = load_file(file)
        change(held)
        save_file(held, file, metadata={"format": "pt"})

    return apply


def one_nan(held: dict[str, torch.Tensor]) -> None:
    held["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")


def without_a_layer(held: dict[str, torch.Tensor]) -> None:
    for name in [name for name in held if name.startswith("model.layers.1.")]:
        del held[name]


def wider(held: dict[str, torch.Tensor]) -> None:
    held["model.layers.0.mlp.down_proj.weight"] = torch.zeros(8, 8)


def cut(path: str, share: float) -> Break:
    def apply(root: Path) -> None:
        (file,) = root.glob(path)
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])

    return apply


def written(path: str, content: str) -> Break:
    def apply(root: Path) -> None:
        (root / path).write_text(content)

    return apply


def two_texts(root: Path) -> None:
    input_set(root / "set.jsonl", 2, 1)


def an_unknown_key(root: Path) -> None:
    task = json.loads((root / "texts.yaml").read_text())
    (root / "texts.yaml").write_text(json.dumps({**task, "promt": "text"}))


WEIGHTS = ["analyze", "weights", "base", "mid", "rl"]
CKA = ["analyze", "cka", "base", "mid", "rl", "--inputs", "set=set.jsonl"]
LANDSCAPE = ["analyze", "landscape", "base", "mid", "rl", "--task", "texts.yaml", "--points", "2", "--out", "l.json"]
EVAL = ["eval", "base", "--tasks", "texts.yaml", "--out", "found"]
RESULT = "run/stages/rl/evaluate/miniature_math.json"

BROKEN: dict[str, tuple[Break, list[str], str]] = {
    "weights: a missing layer": (tensors(without_a_layer), WEIGHTS, "model.layers.1."),
    "weights: another shape": (tensors(wider), WEIGHTS, "model.layers.0.mlp.down_proj.weight"),
    "weights: NaN": (tensors(one_nan), WEIGHTS, "model.layers.1.mlp.down_proj.weight"),
    "weights: a file cut short": (cut("rl/*.safetensors", 0.6), WEIGHTS, "rl"),
    "cka: NaN weights": (tensors(one_nan), CKA, "rl"),
    "cka: a missing layer": (tensors(without_a_layer), CKA, "model.layers.1."),
    "cka: too few inputs": (two_texts, CKA, "set"),
    "landscape: NaN weights": (tensors(one_nan), LANDSCAPE, "rl"),
    "eval: no rows": (written("texts.jsonl", ""), EVAL, "task texts has no rows"),
    "eval: a row without its column": (
        written("texts.jsonl", '{"body": "w3"}\n'), EVAL, "no column text (here: body)",
    ),
    "eval: an unknown key in a task": (an_unknown_key, EVAL, "promt"),
    "report: an empty result file": (written(RESULT, ""), ["report", "run"], "miniature_math.json"),
    "report: a broken line of metrics": (
        written("run/stages/mid/metrics.jsonl", '{"step": 1\n{"step": 2}\n'), ["report", "run"], "metrics.jsonl:1",
    ),
    "report: no recipe": (lambda root: (root / "run/recipe.yaml").unlink(), ["report", "run"], "recipe.yaml"),
    "confidence: a broken sample": (
        written("run/stages/rl/evaluate/miniature_math.samples.jsonl", "{]\n"),
        ["analyze", "confidence", "run:rl"], "miniature_math.samples.jsonl:1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_input_is_named_with_a_remedy(here: Path, kind: str) -> None:
    apply, words, named = BROKEN[kind]
    apply(here)
    done = prism(*words)
    assert isinstance(done.exception, UserError), (done.output, done.exception)
    said = str(done.exception)
    assert done.exception.exit_code != 0 and named in said and "Remedy: " in said and "\n" not in said, said


def test_what_was_compared_before_the_broken_checkpoint_is_kept(here: Path) -> None:
    tensors(one_nan)(here)
    assert isinstance(prism(*CKA, "--json", "part.json").exception, PrismError)
    kept = json.loads((here / "part.json").read_text())["comparisons"]
    assert [(one["before"], one["after"]) for one in kept] == [("base", "mid")]


def test_points_before_the_broken_one_are_kept(here: Path) -> None:
    tensors(one_nan)(here)
    assert isinstance(prism(*LANDSCAPE).exception, PrismError)
    if (here / "l.json").exists():
        assert not json.loads((here / "l.json").read_text())["complete"]


def test_other_tasks_results_are_kept_when_one_lacks_its_data(here: Path) -> None:
    broken = here / "other.yaml"
    broken.write_text(
        (here / "texts.yaml").read_text().replace('"texts"', '"other"').replace("texts.jsonl", "no.jsonl")
    )
    done = prism("eval", "base", "--tasks", "texts.yaml,other.yaml", "--out", "found")
    assert isinstance(done.exception, PrismError) and "no.jsonl" in str(done.exception)
    assert json.loads((here / "found/texts.json").read_text())["metrics"]["bits_per_byte"]["value"] > 0
