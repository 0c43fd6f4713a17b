"""What a policy's weights are: version, names, shapes, types, checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import xxhash
from torch import Tensor

from prism.errors import BadInput

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """A tensor. `xxh3` is the XXH3 (128 bits, hexadecimal) of its bytes in row-major order, little-endian."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    xxh3: str


@dataclass(frozen=True)
class Manifest:
    """All tensors of policy `version`, the number of updates that it has seen, in the order in which they travel."""

    version: int
    entries: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "policy_version": self.version,
            "tensors": [
                {"name": entry.name, "shape": list(entry.shape), "dtype": entry.dtype, "xxh3": entry.xxh3}
                for entry in self.entries
            ],
        }

    @classmethod
    def from_json(cls, value: Any, place: str) -> Manifest:
        """Raises BadInput when `value` isn't a manifest that this release reads."""
        try:
            if value["schema_version"] != SCHEMA_VERSION:
                raise BadInput(
                    f"weights manifest of schema {value['schema_version']}; this release reads {SCHEMA_VERSION}",
                    place=place,
                    remedy="use the release that wrote it",
                )
            entries = tuple(
                Entry(str(row["name"]), tuple(map(int, row["shape"])), str(row["dtype"]), str(row["xxh3"]))
                for row in value["tensors"]
            )
            return cls(int(value["policy_version"]), entries)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"no weights manifest ({error!r})", place=place, remedy="send the weights again") from None

    def check(self, tensors: Mapping[str, Tensor], place: str) -> None:
        """Raises BadInput that names a tensor which is missing, left over or not what was sent."""
        expected = {entry.name: entry for entry in self.entries}
        for name in tensors:
            if name not in expected:
                raise _wrong(f"{name} isn't in the manifest", place)
        for name, entry in expected.items():
            if name not in tensors:
                raise _wrong(f"{name} is missing", place)
            if describe(name, tensors[name]) != entry:
                raise _wrong(f"{name} isn't what was sent", place)


def describe(name: str, tensor: Tensor) -> Entry:
    return Entry(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), sum_tensor(tensor))


def sum_tensor(tensor: Tensor) -> str:
    """XXH3 of a tensor's bytes."""
    content: Any = tensor.detach().contiguous().view(-1).view(torch.uint8).cpu().numpy()
    return xxhash.xxh3_128_hexdigest(content)


def _wrong(what: str, place: str) -> BadInput:
    return BadInput(what, place=place, remedy="send the weights again")
