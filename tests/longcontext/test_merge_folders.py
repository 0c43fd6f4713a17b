"""`prism merge` on folders: the arithmetic, what is written, and what a kill leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from prism.errors import BadInput, PrismError
from prism.formats import megatron_keys
from prism.formats.hf_folder import INDEX
from prism.formats.torch_dist import TorchDist
from prism.longcontext import mix
from prism.longcontext.folders import PROVENANCE, Merge, merge, plan_merge
from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.parallel import Layout, process_groups
from prism.models.convert import find_checkpoint, hf_to_megatron, megatron_to_hf
from prism.models.family import identify
from prism.models.inspect import differences
from tests.longcontext import made
from tests.models.tiny import TINY
from tests.models.tiny_io import ROOT


@pytest.fixture(autouse=True)
def in_many_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of a few rows, so that tiny tensors are read in several."""
    monkeypatch.setattr(mix, "UNIT_BYTES", 2_000)
    monkeypatch.setattr(mix, "_BLOCK", 300)


def merged(base: Path, trained: Path, out: Path, weight: float = 0.15) -> Merge:
    return merge(plan_merge(base, trained, out, weight))


@pytest.mark.parametrize("name", TINY)
def test_a_hugging_face_merge_is_numpy_s_in_the_files_of_the_trained(name: str, tmp_path: Path) -> None:
    base, trained = made.hf(tmp_path / "base", 1, name, shards=2), made.hf(tmp_path / "trained", 2, name)
    merged(base, trained, tmp_path / "out")
    old, new, found = (made.tensors_of(folder) for folder in (base, trained, tmp_path / "out"))
    assert found.keys() == new.keys()
    for key, tensor in found.items():
        assert tensor.dtype == torch.bfloat16
        assert torch.equal(tensor, made.by_numpy(old[key], new[key])), key
    written = {file.name: file.stat().st_size for file in (tmp_path / "out").iterdir()}
    for file in trained.iterdir():
        if file.suffix == ".safetensors":
            assert abs(written[file.name] - file.stat().st_size) < 100  # but for the header's order of keys
        elif file.name != INDEX:
            assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    assert index["weight_map"] == json.loads((trained / INDEX).read_text())["weight_map"]
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in found.values())
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["llama_3_1_8b", "granite_4_h_micro", "nemotron_h_8b"])
def test_every_pair_of_formats_gives_the_same_weights(name: str, tmp_path: Path) -> None:
    """Dense, hybrid and tied; the vocabulary of 100 is padded to 104 in Megatron."""
    for side, seed in (("base", 1), ("trained", 2)):
        hf_to_megatron(made.hf(tmp_path / side, seed, name), tmp_path / f"{side}.megatron")
    merged(tmp_path / "base", tmp_path / "trained", tmp_path / "hf_hf")
    merged(tmp_path / "base.megatron", tmp_path / "trained", tmp_path / "megatron_hf")
    assert differences(tmp_path / "hf_hf", tmp_path / "megatron_hf")[1] == []
    for base in ("base", "base.megatron"):
        out = tmp_path / f"{base}_megatron"
        assert merged(tmp_path / base, tmp_path / "trained.megatron", out).path == out / "step_00000000"
        megatron_to_hf(out, tmp_path / f"{base}.back")
        assert differences(tmp_path / "hf_hf", tmp_path / f"{base}.back")[1] == []


def test_vocabularies_may_be_padded_differently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hf_to_megatron(made.hf(tmp_path / "trained", 2), tmp_path / "trained.megatron")
    monkeypatch.setattr(megatron_keys, "VOCABULARY_MULTIPLE", 32)
    hf_to_megatron(made.hf(tmp_path / "base", 1), tmp_path / "base.megatron")
    for base, trained in (("base", "trained"), ("trained", "base")):
        merged(tmp_path / f"{base}.megatron", tmp_path / f"{trained}.megatron", tmp_path / f"to_{trained}")
        found = TorchDist(find_checkpoint(tmp_path / f"to_{trained}")).read("output_layer.weight")
        old, new = (made.tensors_of(tmp_path / side)["lm_head.weight"] for side in (base, trained))
        assert len(found) == {"base": 128, "trained": 104}[trained]
        assert torch.equal(found[:100], made.by_numpy(old, new))
        assert not found[100:].any()


def test_the_engine_trains_on_from_a_megatron_merge(tmp_path: Path) -> None:
    for side, seed in (("base", 1), ("trained", 2)):
        hf_to_megatron(made.hf(tmp_path / side, seed, "granite_4_h_micro"), tmp_path / f"{side}.megatron")
    merged(tmp_path / "base.megatron", tmp_path / "trained.megatron", tmp_path / "out", 0.0)
    with process_groups(Layout(), seed=1):
        module = build_model(identify(tmp_path / "trained"), 100, Layout(), "bf16")
        checkpoint.load(checkpoint.require_latest(tmp_path / "out"), module)
    trained = TorchDist(find_checkpoint(tmp_path / "trained.megatron"))
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter.data, trained.read(name.removeprefix("module."))[: len(parameter)]), name


def test_a_megatron_lm_checkpoint_stays_one(tmp_path: Path) -> None:
    for side, seed in (("base", 1), ("trained", 2)):
        hf_to_megatron(made.hf(tmp_path / side, seed), tmp_path / f"{side}.lm", megatron_lm=True)
    plan = plan_merge(tmp_path / "base.lm", tmp_path / "trained.lm", tmp_path / "out", 0.15)
    assert plan.notes == [
        "no config.json with base and trained: names, shapes and types were compared, settings were not"
    ]
    assert merge(plan).path == tmp_path / "out" / "iter_0000000"
    merged(tmp_path / "base", tmp_path / "trained", tmp_path / "expected")
    megatron_to_hf(tmp_path / "out", tmp_path / "back", config=tmp_path / "trained")
    assert differences(tmp_path / "expected", tmp_path / "back")[1] == []


@pytest.mark.parametrize(("old", "new"), [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)])
def test_the_result_has_the_trained_type(old: torch.dtype, new: torch.dtype, tmp_path: Path) -> None:
    base, trained = made.hf(tmp_path / "base", 1, dtype=old), made.hf(tmp_path / "trained", 2, dtype=new, shards=1)
    merged(base, trained, tmp_path / "out", 0.3)
    before, after, found = (made.tensors_of(folder) for folder in (base, trained, tmp_path / "out"))
    for key, tensor in found.items():
        assert torch.equal(tensor, made.by_numpy(before[key], after[key], 0.3))


def test_float64_is_mixed_in_float64() -> None:
    base, trained = (torch.randn(1_000, dtype=torch.float64) for _ in range(2))
    expected = 0.15 * base + 0.85 * trained
    mix.mix(base, trained, 0.15)
    assert torch.equal(trained, expected)


def test_a_shared_output_layer_is_written_once(tmp_path: Path) -> None:
    base, trained = (made.hf(tmp_path / side, seed, "granite_3_3_8b") for side, seed in (("base", 1), ("trained", 2)))
    tensors = made.tensors_of(trained)
    made.write(trained, {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, 3)
    plan = plan_merge(base, trained, tmp_path / "out", 0.15)
    assert plan.notes == ["the output layer is the embedding: the copy of it in trained is left out"]
    merge(plan)
    found = made.tensors_of(tmp_path / "out")
    assert found.keys() == tensors.keys()
    assert found.keys() == json.loads((tmp_path / "out" / INDEX).read_text())["weight_map"].keys()


def test_the_provenance_names_both_by_their_content(tmp_path: Path) -> None:
    """The hash is of tensors, not of files: other shards, same hash; another value, another hash."""
    trained = made.hf(tmp_path / "trained", 2)
    said = []
    for number, (seed, shards) in enumerate([(1, 1), (1, 3), (3, 1)]):
        base = made.hf(tmp_path / f"base{number}", seed, shards=shards)
        merged(base, trained, tmp_path / f"out{number}", 0.2)
        said.append(json.loads((tmp_path / f"out{number}" / PROVENANCE).read_text()))
    hashes = [one["base"]["content"] for one in said]
    assert hashes[0] == hashes[1] != hashes[2]
    assert len({one["trained"]["content"] for one in said}) == 1
    assert [said[0][side]["weight"] for side in ("base", "trained")] == [0.2, 0.8]


def test_values_that_are_not_finite_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    base, trained = made.hf(tmp_path / "base", 1), made.hf(tmp_path / "trained", 2)
    tensors = made.tensors_of(base)
    tensors["model.layers.2.mlp.up_proj.weight"][70, 3] = float("nan")
    made.write(base, tensors, 3)
    before = set(tmp_path.iterdir())
    with pytest.raises(BadInput, match=r"layers.2.mlp.up_proj.weight holds values that aren't finite") as caught:
        merged(base, trained, tmp_path / "out")
    assert str(base) in str(caught.value)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["hf", "megatron"])
def test_a_kill_leaves_nothing_that_looks_complete(kind: str, tmp_path: Path) -> None:
    """Killed in the middle of the weights; the same command then makes the whole."""
    for side, seed in (("base", 1), ("trained", 2)):
        made.hf(tmp_path / "hf" / side, seed)
        hf_to_megatron(tmp_path / "hf" / side, tmp_path / "megatron" / side)
    base, trained, out = (tmp_path / kind / name for name in ("base", "trained", "out"))
    script = f"""
import itertools, os, signal
from pathlib import Path
from prism.longcontext import folders
count = itertools.count()
def dying(size):
    if next(count) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
folders.merge(folders.plan_merge(*map(Path, {[str(base), str(trained), str(out)]!r}), 0.15), dying)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sorted(path.name for path in out.parent.iterdir()) == [".out.tmp", "base", "trained"]
    merged(base, trained, out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["base", "out", "trained"]
    found = made.tensors_of(out) if kind == "hf" else {}
    assert len(found) == len(made.tensors_of(base)) or kind == "megatron"


@pytest.mark.parametrize("code", ["room", "full"])
def test_a_disk_that_is_too_small_is_exit_code_5(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen before anything is written; and if others fill it meanwhile, nothing is left."""
    base, trained = made.hf(tmp_path / "base", 1), made.hf(tmp_path / "trained", 2)
    if code == "room":
        usage = __import__("shutil").disk_usage(tmp_path)
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1_000))
    else:
        monkeypatch.setattr("os.pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(PrismError) as caught:
        merged(base, trained, tmp_path / "out")
    assert caught.value.exit_code == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "trained"]
