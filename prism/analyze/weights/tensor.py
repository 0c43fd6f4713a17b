"""One tensor of several checkpoints, read block by block: answers, and hashes of what was read."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
import xxhash
from torch import Tensor

from prism.analyze.weights.answers import Answer, Asked, Described, Finished
from prism.analyze.weights.blocks import change_in_bf16, change_of, relation_of
from prism.analyze.weights.components import Cut, cuts_of
from prism.analyze.weights.sources import Source
from prism.errors import BadInput
from prism.formats.weights import unit_rows

BLOCK_BYTES = 1 << 20
"""Of a source, so that what was read is still in a core's cache when it is counted."""


class Reader:
    """Reads tensors, from any thread; each has buffers of its own."""

    def __init__(self, sources: Sequence[Source], asked: Asked, progress: Callable[[int], None]) -> None:
        self._sources, self._asked, self._progress = sources, asked, progress
        self._held = threading.local()

    def tensor(self, name: str) -> Finished:
        """Raises BadInput when values aren't finite, or a file is damaged."""
        shape = self._sources[0].weights.shape(name)
        widest = max((source.weights.dtype(name) for source in self._sources), key=lambda kind: kind.itemsize)
        step = unit_rows(shape, widest, BLOCK_BYTES)
        digests = [xxhash.xxh3_128() for _ in self._sources]
        answers = []
        for cut in cuts_of(name, shape):
            total: Answer | None = None
            for first in range(cut.first, cut.end, step):
                blocks = self._read(name, first, (min(step, cut.end - first), *shape[1:]), digests)
                found = self._answer(cut, blocks)
                if not _finite(found):
                    raise self._not_finite(name, first, blocks)
                total = found if total is None else total + found
                self._progress(sum(block.nbytes for block in blocks))
            answers.append(total or self._answer(cut, self._read(name, cut.first, (0, *shape[1:]), digests)))
        described = [
            Described(str(source.weights.dtype(name)).removeprefix("torch."), shape, digest.hexdigest())
            for source, digest in zip(self._sources, digests, strict=True)
        ]
        return Finished(answers, described)

    def _read(self, name: str, first: int, shape: tuple[int, ...], digests: Sequence[Any]) -> list[Tensor]:
        blocks = []
        for index, source in enumerate(self._sources):
            block = self._buffer(index, shape, source.weights.dtype(name))
            if block.numel():
                source.weights.read_into(name, first, block)
            content: Any = block.view(-1).view(torch.uint8).numpy()
            digests[index].update(content)
            blocks.append(block)
        return blocks

    def _buffer(self, index: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory of this thread, used again and again: fresh memory costs a page fault every 4 KiB."""
        size = math.prod(shape) * dtype.itemsize
        held: dict[int, Tensor] = self._held.__dict__.setdefault("buffers", {})
        if index not in held or held[index].numel() < size:
            held[index] = torch.empty(max(size, BLOCK_BYTES), dtype=torch.uint8)
        return held[index][:size].view(dtype).view(shape)

    def _answer(self, cut: Cut, blocks: Sequence[Tensor]) -> Answer:
        asked = self._asked
        pairs = [(blocks[old], blocks[new]) for old, new in asked.pairs]
        return Answer(
            cut,
            tuple(change_of(old, new, asked.thresholds_percent) for old, new in pairs),
            tuple(
                change_in_bf16(old, new, asked.thresholds_percent) if _wider_than_bf16(old, new) else None
                for old, new in pairs
            ),
            tuple(
                relation_of(
                    (blocks[one[0]], blocks[one[1]]),
                    (blocks[other[0]], blocks[other[1]]),
                    asked.relation_thresholds_percent,
                )
                for one, other in asked.relations
            ),
        )

    def _not_finite(self, name: str, first: int, blocks: Sequence[Tensor]) -> BadInput:
        """Says where the first such value is."""
        for source, block in zip(self._sources, blocks, strict=True):
            wrong = (~torch.isfinite(block)).nonzero()
            if len(wrong):
                row, *rest = wrong[0].tolist()
                at = ", ".join(map(str, [first + row, *rest]))
                return BadInput(
                    f"{name} of {source.name} holds values that aren't finite, the first at [{at}]",
                    place=source.place(name),
                    remedy="compare an earlier checkpoint, or fetch the file again",
                )
        return BadInput(
            f"the values of {name} are too large to be squared, or to be rounded to bf16",
            place=self._sources[0].place(name),
            remedy="look at them: these are no trained weights",
        )


def bytes_of(sources: Sequence[Source], name: str) -> int:
    """Of a tensor in all sources."""
    return sum(
        torch.Size(source.weights.shape(name)).numel() * source.weights.dtype(name).itemsize for source in sources
    )


def _wider_than_bf16(old: Tensor, new: Tensor) -> bool:
    """Whether the two are compared in another type than bf16."""
    kinds = {old.dtype, new.dtype}
    return torch.bfloat16 not in kinds or torch.float16 in kinds


def _finite(answer: Answer) -> bool:
    changes = [*answer.changes, *(change for change in answer.in_bf16 if change is not None)]
    sums = [change.squared_change + change.squared_old for change in changes]
    sums += [relation.squared_first + relation.squared_second for relation in answer.relations]
    return all(map(math.isfinite, sums))
