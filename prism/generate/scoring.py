"""Scores continuations of contexts: contexts that several continuations share are read once where that is exact."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from prism.errors import BadInput
from prism.generate.protocol import Scored, Tokens
from prism.megatron.forward import continuation_scores

_TOKENS_AT_ONCE = 32_768
"""Padded tokens of one forward pass."""

_LOGITS_AT_ONCE = 1 << 27
"""Logits that are in memory together: half a gigabyte."""


@dataclass(frozen=True)
class _Asked:
    """A continuation: its place among the pairs, what is read before its last token, and its own tokens."""

    place: int
    read: tuple[int, ...]
    continuation: Tokens


def score_continuations(
    module: Any,
    contexts: Sequence[Tokens],
    continuations: Sequence[Tokens],
    context_length: int,
    vocab_size: int,
    device: torch.device,
) -> list[Scored]:
    """See `prism.generate.protocol.ScoringModel.score`. `module` is in evaluation mode.

    Pairs that differ in the last token alone, such as the letters of one multiple-choice question, are one sequence to
    read: no result depends on what else is asked.

    Raises:
        BadInput: a side of a pair is empty, or the pair has more than `context_length` + 1 tokens.
    """
    asked = []
    for place, (context, continuation) in enumerate(zip(contexts, continuations, strict=True)):
        whole = (*context, *continuation)
        if not context or not continuation or len(whole) > context_length + 1:
            raise BadInput(
                f"pair {place} has {len(context)} + {len(continuation)} tokens, the context holds {context_length}",
                place="score",
                remedy="give both sides at least one token, and cut the context where a pair doesn't fit",
            )
        asked.append(_Asked(place, whole[:-1], continuation))
    found: list[Scored | None] = [None] * len(asked)
    for batch in _batches(asked, vocab_size):
        for one, scored in zip(batch, _score(module, batch, device), strict=True):
            found[one.place] = scored
    return [scored for scored in found if scored is not None]


def _score(module: Any, batch: Sequence[_Asked], device: torch.device) -> list[Scored]:
    numbers: dict[tuple[int, ...], int] = {}
    rows = [numbers.setdefault(one.read, len(numbers)) for one in batch]
    tokens = torch.zeros(len(numbers), max(map(len, numbers)), dtype=torch.long)
    for read, row in numbers.items():
        tokens[row, : len(read)] = torch.tensor(read)
    width = max(len(one.continuation) for one in batch)
    positions, labels = torch.zeros(2, len(batch), width, dtype=torch.long)
    for index, one in enumerate(batch):
        length = len(one.continuation)
        positions[index, :length] = torch.arange(len(one.read) - length, len(one.read))
        labels[index, :length] = torch.tensor(one.continuation)
    values = continuation_scores(
        module, tokens.to(device), torch.tensor(rows, device=device), positions.to(device), labels.to(device)
    ).tolist()
    scored = []
    for one, line in zip(batch, values, strict=True):
        own = line[: len(one.continuation)]
        scored.append(Scored(math.fsum(logprob for logprob, _ in own), all(likely for _, likely in own)))
    return scored


def _batches(asked: Sequence[_Asked], vocab_size: int) -> Iterator[list[_Asked]]:
    """Shortest first, those that read the same side by side, in batches whose size stays under both bounds."""
    batch: list[_Asked] = []
    reads: set[tuple[int, ...]] = set()
    width = 0
    for one in sorted(asked, key=lambda one: (len(one.read), one.read, one.place)):
        rows, wider = len(reads) + (one.read not in reads), max(width, len(one.continuation))
        many = rows * len(one.read) > _TOKENS_AT_ONCE or (len(batch) + 1) * wider * vocab_size > _LOGITS_AT_ONCE
        if batch and many:
            yield batch
            batch, reads, wider = [], set(), len(one.continuation)
        batch.append(one)
        reads.add(one.read)
        width = wider
    if batch:
        yield batch
