"""Reads a torch_dist checkpoint one tensor at a time, without megatron-core, process groups or a model.

Memory is bounded by the tensor that is asked for, whatever layout wrote the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.formats.blocks import Blocks, overlap, within
from prism.formats.megatron_keys import plain_name, split_layer, stored_parts
from prism.formats.safe_metadata import StoredTensor
from prism.formats.step_state import Damaged

WEIGHTS = ("embedding.", "decoder.", "output_layer.")
"""How the names of weights begin; a checkpoint may hold optimizer state and further models too."""


@dataclass(frozen=True)
class _Stored:
    """A weight, or one part of it: a key, and its layer where the key is a stack."""

    key: str
    layer: int | None
    shape: tuple[int, ...]
    dtype: torch.dtype


class TorchDist:
    """The weights of one checkpoint by name (see `prism.formats.megatron_keys`).

    Args:
        prefix: what keys begin with before the names that megatron-core gives; NeMo's is `module.`.

    Raises:
        BadInput: it isn't a torch_dist checkpoint, or a file is damaged.
    """

    def __init__(self, path: Path, prefix: str = "") -> None:
        self.path = path
        self._blocks = Blocks(path)
        self._metadata = self._blocks.metadata
        self._weights: dict[str, list[_Stored]] = {}
        parts: dict[str, dict[str, _Stored]] = {}
        for key, described in self._metadata.state_dict_metadata.items():
            if not key.startswith(tuple(prefix + name for name in WEIGHTS)) or not isinstance(described, StoredTensor):
                continue
            for name, stored in _unstacked(key, described, prefix):
                whole, _, part = name.rpartition(".")
                if part in stored_parts(whole):
                    parts.setdefault(whole, {})[part] = stored
                else:
                    self._weights[name] = [stored]
        for whole, found in parts.items():
            missing = [part for part in stored_parts(whole) if part not in found]
            if missing:
                raise BadInput(f"{whole} lacks {', '.join(missing)}", place=str(path), remedy="use a whole checkpoint")
            self._weights[whole] = [found[part] for part in stored_parts(whole)]

    def names(self) -> list[str]:
        return list(self._weights)

    def __contains__(self, name: str) -> bool:
        return name in self._weights

    def shape(self, name: str) -> tuple[int, ...]:
        stored = self._weights[name]
        return (sum(part.shape[0] for part in stored), *stored[0].shape[1:])

    def dtype(self, name: str) -> torch.dtype:
        return self._weights[name][0].dtype

    def read(self, name: str, first: int = 0, end: int | None = None) -> Tensor:
        """Rows `first` to `end` of a weight; all of them by default."""
        rows = self.shape(name)[0]
        end = rows if end is None else end
        pieces, start = [], 0
        for stored in self._weights[name]:
            length = stored.shape[0]
            low, high = max(first - start, 0), min(end - start, length)
            if low < high:
                pieces.append(self._rows(stored, low, high))
            start += length
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _rows(self, stored: _Stored, first: int, end: int) -> Tensor:
        """Puts the rows together from the blocks that overlap them."""
        wanted = [(first, end), *((0, size) for size in stored.shape[1:])]
        if stored.layer is not None:
            wanted = [(stored.layer, stored.layer + 1), *wanted]
        shape = tuple(high - low for low, high in wanted)
        whole: Tensor | None = None
        found = 0
        for chunk in self._metadata.state_dict_metadata[stored.key].chunks:
            common = overlap(wanted, chunk.offsets, chunk.sizes)
            if common is None:
                continue
            piece = self._blocks.block(stored.key, chunk.offsets)[within(common, chunk.offsets)]
            found += piece.numel()
            if piece.shape == shape:
                whole = piece
                break
            whole = torch.empty(shape, dtype=stored.dtype) if whole is None else whole
            whole[within(common, [low for low, _ in wanted])] = piece
        if whole is None or found != whole.numel():
            raise self._damaged(f"{stored.key} isn't complete")
        return whole if stored.layer is None else whole[0]

    def _damaged(self, what: str) -> BadInput:
        return Damaged(what, self.path)


def _unstacked(key: str, described: StoredTensor, prefix: str) -> Iterator[tuple[str, _Stored]]:
    """The weights that a key holds: one, or one a layer."""
    name, shape, dtype = plain_name(key.removeprefix(prefix)), tuple(described.size), described.properties.dtype
    if ".layers." in name and split_layer(name) is None:
        for layer in range(shape[0]):
            yield name.replace(".layers.", f".layers.{layer}."), _Stored(key, layer, shape[1:], dtype)
    else:
        yield name, _Stored(key, None, shape, dtype)
