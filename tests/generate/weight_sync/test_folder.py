"""Policies in a folder: whole or absent, checked when they are read, the last two kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from prism.errors import BadInput, ResourcesExhausted
from prism.formats.hf_folder import INDEX, Described, HfFolder
from prism.generate.weight_sync.buckets import Bucket, in_buckets
from prism.generate.weight_sync.folder import MANIFEST, FolderTransport, read_folder
from prism.generate.weight_sync.manifest import Manifest
from prism.generate.weight_sync.transport import NotSent, push

TENSORS = {
    "a.weight": torch.arange(12, dtype=torch.float32).view(3, 4),
    "b.weight": torch.randn(5, 2, generator=torch.Generator().manual_seed(1)).bfloat16(),
    "norm.weight": torch.ones(7),
}


class Held:
    """A gatherer of plain tensors, in buckets of at most 64 bytes."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self._runs = in_buckets(list(tensors.items()), lambda item: item[1].nbytes, 64)
        self.given = 0

    @property
    def plan(self) -> list[list[Described]]:
        return [[Described(name, tuple(one.shape), one.dtype) for name, one in run] for run in self._runs]

    def buckets(self):  # type: ignore[no-untyped-def]
        for number, run in enumerate(self._runs):
            self.given += 1
            yield Bucket(number, tuple(run))


class Reader:
    """A generator that reads what it is told to."""

    def __init__(self) -> None:
        self.holds: dict[str, torch.Tensor] = {}
        self.version = -1

    def load_folder(self, path: Path, version: int) -> None:
        found, tensors = read_folder(path)
        assert found == version
        self.holds, self.version = dict(tensors), version


class Refusing:
    def load_folder(self, path: Path, version: int) -> None:
        raise ResourcesExhausted("out of GPU memory", place="http://here")


def send(root: Path, receiver: object, version: int = 1) -> Held:
    held = Held(TENSORS)
    push(held, FolderTransport(root, lambda: [receiver], lambda path: None), version)  # type: ignore[arg-type,list-item]
    return held


def test_items_are_cut_into_runs_of_bounded_bytes() -> None:
    assert in_buckets([3, 4, 9, 2, 2, 2], lambda size: size, 7) == [[3, 4], [9], [2, 2, 2]]
    assert in_buckets([], int, 7) == []


def test_a_generator_holds_what_was_sent(tmp_path: Path) -> None:
    reader = Reader()
    send(tmp_path, reader, version=12)
    assert reader.version == 12
    assert reader.holds.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(reader.holds[name], tensor, atol=0, rtol=0)
        assert reader.holds[name].dtype == tensor.dtype


def test_the_folder_is_one_that_hugging_face_s_readers_know(tmp_path: Path) -> None:
    send(tmp_path, Reader())
    folder = tmp_path / "v00000001"
    index = json.loads((folder / INDEX).read_text())["weight_map"]
    assert len(set(index.values())) == len(Held(TENSORS).plan) > 1
    for name, shard in index.items():
        torch.testing.assert_close(load_file(folder / shard)[name], TENSORS[name], atol=0, rtol=0)


def test_the_manifest_names_every_tensor_with_shape_type_and_sum(tmp_path: Path) -> None:
    send(tmp_path, Reader(), version=3)
    manifest = Manifest.from_json(json.loads((tmp_path / "v00000003" / MANIFEST).read_text()), "")
    manifest.check(TENSORS, "")
    with pytest.raises(BadInput, match=r"norm\.weight is missing"):
        manifest.check({name: one for name, one in TENSORS.items() if name != "norm.weight"}, "")
    with pytest.raises(BadInput, match=r"more\.weight isn't in the manifest"):
        manifest.check({**TENSORS, "more.weight": torch.ones(1)}, "")
    with pytest.raises(BadInput, match=r"norm\.weight isn't what was sent"):
        manifest.check({**TENSORS, "norm.weight": torch.ones(7).double()}, "")


@pytest.mark.parametrize("value", [None, {}, {"schema_version": 1}, {"schema_version": 1, "tensors": [{}]}])
def test_what_is_no_manifest_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="no weights manifest"):
        Manifest.from_json(value, "here")


def test_a_manifest_of_another_schema_is_refused() -> None:
    with pytest.raises(BadInput, match="schema 2; this release reads 1"):
        Manifest.from_json({"schema_version": 2}, "here")


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    send(tmp_path, Reader())
    folder = tmp_path / "v00000001"
    name, start = HfFolder(folder).place("b.weight")
    content = bytearray((folder / name).read_bytes())
    content[start + 3] ^= 1
    (folder / name).write_bytes(content)
    _, tensors = read_folder(folder)
    with pytest.raises(BadInput, match=r"b\.weight isn't what was sent"):
        list(tensors)


def test_the_policy_before_the_newest_stays_and_older_ones_go(tmp_path: Path) -> None:
    for version in (1, 2, 3, 4):
        send(tmp_path, Reader(), version)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v00000003", "v00000004"]


def test_the_same_policy_can_be_sent_again(tmp_path: Path) -> None:
    reader = Reader()
    send(tmp_path, reader, 5)
    send(tmp_path, reader, 5)
    assert reader.version == 5


def test_a_generator_that_doesn_t_take_it_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match=r"policy 1 didn't reach the generator: out of GPU memory \(http://here\)"):
        send(tmp_path, Refusing())


def test_all_buckets_are_gathered_even_when_sending_failed(tmp_path: Path) -> None:
    """The other ranks send all of them, and would wait for ever."""
    (tmp_path / "file").write_text("")
    held = Held(TENSORS)
    with pytest.raises(NotSent, match=r"NotADirectoryError|FileExistsError"):
        push(held, FolderTransport(tmp_path / "file", list, lambda path: None), 1)  # type: ignore[arg-type]
    assert held.given == len(held.plan)


def test_what_failed_on_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(NotSent, match="No space left"):
        push(Held(TENSORS), FolderTransport(tmp_path, list, full), 1)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
