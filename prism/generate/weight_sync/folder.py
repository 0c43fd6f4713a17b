"""Weights as a folder that trainer and generator both see: a safetensors file a bucket, an index, a manifest.

A policy's folder is `v00000012`, whole or absent; the manifest in it is written last. The policy before it stays until
the next has been taken, so that a generator which reads late finds what it was told of.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from data_prep.files import atomic_writer, read_json, write_json
from prism.errors import BadInput
from prism.formats.hf_folder import INDEX, Described, HfFolder, header
from prism.formats.whole_folder import check_room, hidden, take_name
from prism.generate.weight_sync.buckets import Bucket
from prism.generate.weight_sync.manifest import Entry, Manifest, describe
from prism.generate.weight_sync.transport import Plan

MANIFEST = "weights_manifest.json"


class FolderReceiver(Protocol):
    """A generator that reads weights from a folder."""

    def load_folder(self, path: Path, version: int) -> None:
        """Returns when it answers with the weights at `path`, which are policy `version`."""
        ...


class FolderTransport:
    """Writes policies below `root` and tells `receivers` to read them.

    Args:
        complete: adds to a folder what a generator wants beside weights (config.json, tokenizer).
    """

    def __init__(
        self, root: Path, receivers: Callable[[], Sequence[FolderReceiver]], complete: Callable[[Path], None]
    ) -> None:
        self._root, self._receivers, self._complete = root, receivers, complete

    def begin(self, version: int, plan: Plan) -> FolderSending:
        """Raises ResourcesExhausted when the disk has no room."""
        return FolderSending(self._root, version, plan, self._receivers, self._complete)

    def discard(self) -> None:
        """Removes the policies below `root`: nobody reads them any more."""
        for path in self._root.glob("v*"):
            if (path / MANIFEST).is_file():
                shutil.rmtree(path, ignore_errors=True)


class FolderSending:
    """A policy that is being written."""

    def __init__(
        self,
        root: Path,
        version: int,
        plan: Plan,
        receivers: Callable[[], Sequence[FolderReceiver]],
        complete: Callable[[Path], None],
    ) -> None:
        self.path = policy_folder(root, version)
        self._version, self._plan, self._receivers, self._complete = version, plan, receivers, complete
        self._entries: list[Entry] = []
        self._shard_of: dict[str, str] = {}
        self._temporary = hidden(self.path)
        shutil.rmtree(self._temporary, ignore_errors=True)
        root.mkdir(parents=True, exist_ok=True)
        check_room(self.path, sum(item.bytes for bucket in plan for item in bucket))
        self._temporary.mkdir()

    def put(self, bucket: Bucket) -> None:
        name = f"model-{bucket.number + 1:05d}-of-{len(self._plan):05d}.safetensors"
        described = [Described(key, tuple(tensor.shape), tensor.dtype) for key, tensor in bucket.tensors]
        if described != list(self._plan[bucket.number]):
            raise BadInput(f"bucket {bucket.number} isn't as planned", place=str(self.path), remedy="report this error")
        content, _ = header(described)
        with atomic_writer(self._temporary / name) as file:
            file.write(content)
            for key, tensor in bucket.tensors:
                on_host = tensor.detach().to("cpu").contiguous()
                self._entries.append(describe(key, on_host))
                file.write(_bytes(on_host))
                self._shard_of[key] = name

    def finish(self) -> None:
        total = sum(item.bytes for bucket in self._plan for item in bucket)
        write_json(
            self._temporary / INDEX,
            {"metadata": {"total_size": total}, "weight_map": dict(sorted(self._shard_of.items()))},
        )
        self._complete(self._temporary)
        write_json(self._temporary / MANIFEST, Manifest(self._version, tuple(self._entries)).to_json())
        shutil.rmtree(self.path, ignore_errors=True)
        take_name(self._temporary, self.path)
        for receiver in self._receivers():
            receiver.load_folder(self.path, self._version)
        for older in _others(self.path):
            shutil.rmtree(older, ignore_errors=True)

    def abandon(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)


def policy_folder(root: Path, version: int) -> Path:
    return root / f"v{version:08d}"


def read_folder(path: Path) -> tuple[int, Iterator[tuple[str, Tensor]]]:
    """A policy's version, and its tensors one by one, each checked against the manifest when it comes.

    Raises:
        BadInput: a tensor is missing, left over or damaged.
    """
    manifest = Manifest.from_json(read_json(path / MANIFEST), str(path))
    folder = HfFolder(path)
    names = {entry.name for entry in manifest.entries}
    if names != set(folder.names()):
        odd = sorted(names ^ set(folder.names()))[0]
        raise BadInput(f"{odd} isn't in both files and manifest", place=str(path), remedy="send the weights again")
    return manifest.version, _checked(manifest, folder)


def _checked(manifest: Manifest, folder: HfFolder) -> Iterator[tuple[str, Tensor]]:
    for entry in manifest.entries:
        tensor = folder.read(entry.name)
        if describe(entry.name, tensor) != entry:
            raise BadInput(f"{entry.name} isn't what was sent", place=str(folder.path), remedy="send the weights again")
        yield entry.name, tensor


def _bytes(tensor: Tensor) -> memoryview:
    array: Any = tensor.view(-1).view(torch.uint8).numpy()
    return memoryview(array)


def _others(newest: Path) -> list[Path]:
    """Policies but the newest and the one that came before it."""
    found = sorted((path for path in newest.parent.glob("v*") if path != newest), key=lambda path: path.stat().st_mtime)
    return found[:-1]
