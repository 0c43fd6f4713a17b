"""Representations of any models by name: kept states, every pair, models that differ, and what is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from prism.analyze.cka import Grams, cka_matrix
from prism.analyze.hidden import input_texts
from prism.analyze.models import Compared, compare_models, rows
from prism.errors import BadInput
from prism.evaluate.named import NamedModel, named_model
from prism.megatron.parallel import Layout
from tests.analyze.made import input_set, model, nearby, rewrite
from tests.forks import run_program

pytestmark = pytest.mark.xdist_group("analysed_models")
WORKER = str(Path(__file__).with_name("models_worker.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models: one, moved (near it), wide (other width and tokenizer rows), deep (other depth); sets a and b."""
    root = tmp_path_factory.mktemp("models")
    one = model(root / "one", 1)
    nearby(one, root / "moved", 0.05, 2)
    model(root / "wide", 3, hidden_size=80, head_dim=20)
    model(root / "deep", 4, num_hidden_layers=2)
    input_set(root / "a.jsonl", 24, 1)
    input_set(root / "b.jsonl", 12, 2)
    return root


def named(folder: Path, *names: str) -> list[NamedModel]:
    return [named_model(str(folder / name), layout=Layout()) for name in names]


def compared(folder: Path, kept: Path, *names: str, by_layer: bool = True, count: int = 24) -> Compared:
    texts = {name: input_texts(folder / f"{name}.jsonl", count) for name in ("a", "b")}
    return compare_models(named(folder, *names), names, texts, kept, resamples=5, seed=1, by_layer=by_layer)


def test_every_pair_is_compared_on_every_set_from_states_that_are_kept(folder: Path, tmp_path: Path) -> None:
    done = compared(folder, tmp_path, "one", "moved", "one")
    assert [(one["before"], one["after"]) for one in done.comparisons] == [
        ("one", "moved"), ("one", "one"), ("moved", "one"),
    ]  # fmt: skip
    assert not done.failed and not (tmp_path / "weights").exists()
    for one in done.comparisons:
        assert [(inputs["name"], inputs["count"], len(inputs["layers"])) for inputs in one["inputs"]] == [
            ("a", 24, 4), ("b", 12, 4),
        ]  # fmt: skip
    near, same = done.comparisons[0]["inputs"][0], done.comparisons[1]["inputs"][0]
    assert all(row["cka"] == pytest.approx(1, abs=1e-9) for row in same["layers"])
    assert all(0.5 < row["low"] <= row["high"] <= 1 and row["cka"] < 0.9999 for row in near["layers"])
    assert [row["cka"] for row in near["layers"]] == pytest.approx(
        [near["matrix"][layer][layer] for layer in range(4)], abs=1e-6
    )
    kept = {file.name.partition(".")[0]: load_file(file)["states"] for file in tmp_path.glob("*__a.safetensors")}
    assert kept["one"].shape == (4, 24, 64) and kept["one"].dtype == torch.float64
    matrix = cka_matrix(Grams(kept["one"]), Grams(kept["moved"]), debiased=True)
    assert torch.tensor(near["debiased_matrix"]) == pytest.approx(matrix.numpy(), abs=1e-6)


def test_kept_states_are_not_computed_again_unless_model_or_texts_changed(folder: Path, tmp_path: Path) -> None:
    before = compared(folder, tmp_path, "one", "moved")
    loaded: list[str] = []

    def watched(one: NamedModel) -> NamedModel:
        def open_(work: Path) -> object:
            subject = one.open(work)
            return replace(subject, load=lambda: (loaded.append(subject.name), subject.load())[1])

        return replace(one, open=open_)  # type: ignore[arg-type]

    models, names = [watched(one) for one in named(folder, "one", "moved")], ("one", "moved")
    texts = {name: input_texts(folder / f"{name}.jsonl", 24) for name in ("a", "b")}
    again = compare_models(models, names, texts, tmp_path, 5, 1)
    assert (again.comparisons, loaded) == (before.comparisons, [])
    compare_models(models, names, {**texts, "b": texts["b"][:8]}, tmp_path, 5, 1)
    assert loaded == ["one", "moved"]
    damaged = next(tmp_path.glob("one.*__a.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    compare_models(models, names, texts, tmp_path, 5, 1)
    assert loaded == ["one", "moved", "one", "moved"]


def test_in_bf16_representations_are_nearly_the_same(folder: Path, tmp_path: Path) -> None:
    texts = {"a": input_texts(folder / "a.jsonl", 24)}
    found = []
    for precision in ("fp32", "bf16"):
        models = [named_model(str(folder / name), layout=Layout(), precision=precision) for name in ("one", "moved")]
        (one,) = compare_models(models, ("one", "moved"), texts, tmp_path, 5, 1).comparisons
        found.append([row["cka"] for row in one["inputs"][0]["layers"]])
    assert found[0] != found[1] == pytest.approx(found[0], abs=0.01)


def test_models_of_other_width_and_depth_are_compared_by_matrix(folder: Path, tmp_path: Path) -> None:
    wide = compared(folder, tmp_path, "one", "wide")
    assert not wide.failed and len(wide.comparisons[0]["inputs"][0]["layers"]) == 4
    deep = compared(folder, tmp_path, "one", "deep")
    assert deep.comparisons == [] and "has 4 layers, deep 2" in str(deep.failed[0])
    assert "--by matrix" in str(deep.failed[0])
    matrix = compared(folder, tmp_path, "one", "deep", by_layer=False).comparisons[0]["inputs"][0]["matrix"]
    assert (len(matrix), len(matrix[0])) == (4, 2)
    flat = rows(compared(folder, tmp_path, "one", "deep", by_layer=False).comparisons)
    assert len(flat) == 2 * 8 and {row["level"] for row in flat} == {"matrix"}


@pytest.mark.parametrize(("tensor", "pipeline"), [(2, 1), (1, 2)])
def test_models_that_are_spread_have_the_same_states(folder: Path, tmp_path: Path, tensor: int, pipeline: int) -> None:
    compared(folder, tmp_path / "alone", "one", "moved")
    run_program(WORKER, [str(folder), str(tmp_path / "spread"), str(tensor), str(pipeline), "one", "moved"], ranks=2)
    for name in ("one", "moved"):
        (alone,), (spread,) = (list((tmp_path / kind).glob(f"{name}.*__a.safetensors")) for kind in ("alone", "spread"))
        one, other = (load_file(path)["states"] for path in (alone, spread))
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5)


def test_a_broken_model_is_named_and_the_others_are_compared(folder: Path, tmp_path: Path) -> None:
    def broken(tensor: Tensor) -> Tensor:
        return torch.full_like(tensor, float("nan")) if tensor.shape == (96, 64) else tensor

    rewrite(nearby(folder / "one", tmp_path / "nan", 0, 1), broken)
    short = nearby(folder / "one", tmp_path / "short", 0, 1)
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 6}))
    for name in ("one", "moved", "a.jsonl", "b.jsonl"):
        (tmp_path / name).symlink_to(folder / name)
    done = compared(tmp_path, tmp_path / "kept", "one", "nan", "short", "moved")
    assert [(one["before"], one["after"]) for one in done.comparisons] == [("one", "moved")]
    said = [str(error) for error in done.failed]
    assert "layer 0 on a aren't finite" in said[0] and "nan" in said[0]
    assert "model.layers.4" in said[1]
    assert all(isinstance(error, BadInput) for error in done.failed)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (None, "missing"),
        ("", "0 inputs, CKA needs at least 4"),
        ('{"text": "w3"}\n' * 3, "3 inputs, CKA needs at least 4"),
        ('{"words": "w3"}\n', "neither text nor prompt and answer"),
        ("no json\n", "not valid JSON"),
    ],
)
def test_an_input_set_that_cant_be_used_is_named(tmp_path: Path, lines: str | None, said: str) -> None:
    path = tmp_path / "set.jsonl"
    if lines is not None:
        path.write_text(lines)
    with pytest.raises(Exception, match=said) as error:
        input_texts(path, 200)
    assert str(path) in str(error.value) and error.value.exit_code == 4  # type: ignore[attr-defined]


def test_inputs_that_are_all_alike_are_refused(folder: Path, tmp_path: Path) -> None:
    texts = {"same": ["w3 w4 w5 w6"] * 6}
    done = compare_models(named(folder, "one", "moved"), ("one", "moved"), texts, tmp_path, 5, 1)
    assert done.comparisons == [] and "are all alike" in str(done.failed[0])
