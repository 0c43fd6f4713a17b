"""A trajectory's folder: every step comes back bit for bit, and nothing else passes for a step."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor

from prism.errors import BadInput
from prism.formats.hf_folder import OutTensor
from prism.formats.sparse_difference import difference_writer, load_start, load_step, write_start_folder
from prism.formats.trajectory_manifest import read_start, read_step, saved, step_file, steps

SHAPES = {"model.embed": (40, 16), "layers.0.q": (64, 64), "layers.0.norm": (64,), "layers.0.none": (0, 8)}
Weights = dict[str, Tensor]


def weights(seed: int) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator).bfloat16() for name, shape in SHAPES.items()}


def changed(start: Weights, share: float, seed: int) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, tensor in start.items():
        moved = torch.rand(tensor.shape, generator=generator) < share
        found[name] = torch.where(moved, tensor + torch.randn(tensor.shape, generator=generator), tensor).bfloat16()
    return found


def begin(folder: Path, start: Weights) -> None:
    tensors = [
        OutTensor(name, tuple(tensor.shape), tensor.dtype, lambda tensor=tensor: tensor)
        for name, tensor in start.items()
    ]
    write_start_folder(folder, "a checkpoint", tensors, 1)


def keep(folder: Path, step: int, start: Weights, after: Weights) -> None:
    with difference_writer(folder, step, read_start(folder)) as writer:
        for name, tensor in after.items():
            writer.add(name, start[name], tensor)


def same_bits(found: Weights, expected: Weights) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name].view(torch.int16), tensor.view(torch.int16)) and found[name].shape == tensor.shape
        for name, tensor in expected.items()
    )


@given(share=st.sampled_from([0.0, 0.01, 0.1, 0.6, 1.0]), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_step_comes_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, share: float, seed: int) -> None:
    folder = tmp_path_factory.mktemp("trajectory")
    start = weights(seed)
    start["layers.0.norm"][:4] = torch.tensor([float("nan"), -0.0, float("inf"), 0.0])
    after = changed(start, share, seed + 1)
    after["layers.0.norm"][:4] = torch.tensor([float("nan"), 0.0, -float("inf"), -0.0])
    begin(folder, start)
    keep(folder, 20, start, after)
    keep(folder, 7, start, start)
    assert steps(folder) == [7, 20]
    assert same_bits(dict(load_step(folder, 20)), after)
    assert same_bits(dict(load_step(folder, 7)), start)
    assert same_bits(dict(load_start(folder)), start)


def test_the_manifest_says_what_changed_and_what_it_saves(tmp_path: Path) -> None:
    start = weights(1)
    after = {**start, "layers.0.q": start["layers.0.q"].clone()}
    after["layers.0.q"][3, 5] += 1
    begin(tmp_path, start)
    keep(tmp_path, 1, start, after)
    keep(tmp_path, 2, start, after)
    step = read_step(tmp_path, 1)
    assert {name: tensor.changed for name, tensor in step.tensors.items()} == {
        "model.embed": 0,
        "layers.0.q": 1,
        "layers.0.norm": 0,
        "layers.0.none": 0,
    }
    elements = 40 * 16 + 64 * 64 + 64
    assert step.changed_percent == pytest.approx(100 / elements)
    found = saved(tmp_path)
    assert (found.steps, found.dense_bytes) == (2, 2 * 2 * elements)
    assert found.bytes == sum(step_file(tmp_path, number).stat().st_size for number in (1, 2))
    assert found.start_bytes >= 2 * elements
    assert json.loads((tmp_path / "step_00000001.json").read_text())["schema_version"] == 1


def test_any_safetensors_reader_opens_a_step(tmp_path: Path) -> None:
    start = weights(1)
    begin(tmp_path, start)
    keep(tmp_path, 1, start, changed(start, 0.05, 2))
    with safe_open(step_file(tmp_path, 1), framework="np") as handle:
        assert handle.metadata()["step"] == "1"
        assert any(key.startswith("layers.0.q:") for key in handle.keys())  # noqa: SIM118


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: flip(step_file(folder, 3)), "another checksum"),
        (lambda folder: flip(folder / "start" / "model.safetensors"), "another checksum"),
        (lambda folder: step_file(folder, 3).write_bytes(step_file(folder, 3).read_bytes()[:-9]), "bytes, not"),
        (lambda folder: step_file(folder, 3).unlink(), "is missing"),
        (lambda folder: (folder / "step_00000003.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "step_00000003.json").write_text('{"schema_version": 1}'), "lacks what it should"),
        (lambda folder: (folder / "step_00000003.json").write_text('{"schema_version": 9}'), "schema_version 9"),
        (lambda folder: (folder / "trajectory.json").unlink(), "is missing"),
        (
            lambda folder: (folder / "step_00000003.json").rename(folder / "step_00000004.json"),
            "isn't kept; kept are 4",
        ),
    ],
)
def test_a_damaged_folder_is_an_error_that_names_the_file(
    tmp_path: Path, harm: Callable[[Path], object], says: str
) -> None:
    start = weights(1)
    begin(tmp_path, start)
    keep(tmp_path, 3, start, changed(start, 0.1, 2))
    harm(tmp_path)
    with pytest.raises(BadInput, match=says) as error:
        list(load_step(tmp_path, 3))
    assert str(tmp_path) in str(error.value.place)


def test_a_step_of_another_start_is_refused(tmp_path: Path) -> None:
    start = weights(1)
    for name, seed in (("a", 1), ("b", 2)):
        begin(tmp_path / name, weights(seed))
    keep(tmp_path / "a", 3, start, changed(start, 0.1, 2))
    for file in list((tmp_path / "a").glob("step_*")):
        file.rename(tmp_path / "b" / file.name)
    with pytest.raises(BadInput, match="another start"):
        list(load_step(tmp_path / "b", 3))


def test_a_step_that_fails_half_way_leaves_no_trace(tmp_path: Path) -> None:
    start = weights(1)
    begin(tmp_path, start)
    before = sorted(path.name for path in tmp_path.iterdir())

    def fill() -> None:
        with difference_writer(tmp_path, 3, read_start(tmp_path)) as writer:
            writer.add("layers.0.q", start["layers.0.q"], -start["layers.0.q"])
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fill()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert steps(tmp_path) == []


def test_a_start_that_a_kill_left_nameless_is_written_anew(tmp_path: Path) -> None:
    begin(tmp_path, weights(1))
    (tmp_path / "trajectory.json").unlink()
    begin(tmp_path, weights(2))
    assert same_bits(dict(load_start(tmp_path)), weights(2))
