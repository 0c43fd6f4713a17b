"""The order of forward and backward passes on one pipeline stage, as megatron-core's schedules run them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Pass:
    """chunk: which of the stage's chunks of layers, in their order along the pipeline."""

    forward: bool
    chunk: int


def passes(stages: int, chunks: int, rank: int, micro_batches: int) -> Iterator[Pass]:
    """One step's passes on pipeline rank `rank`, for as many micro batches as its memory can tell apart.

    One chunk: 1F1B, so a rank is `stages - rank` micro batches ahead. More: interleaved, in rounds of `stages` micro
    batches a chunk. More micro batches than fill the pipeline twice repeat what is there.
    """
    count = min(micro_batches, 2 * stages if chunks > 1 else stages + 1)
    if chunks > 1:
        count = max(stages, count - count % stages)
    total = count * chunks
    ahead = stages - rank - 1
    if chunks > 1:
        ahead = total if count == stages else 2 * ahead + (chunks - 1) * stages
    ahead = min(ahead, total)
    forwards = [_chunk(number, stages, chunks) for number in range(total)]
    backwards = [chunks - 1 - chunk for chunk in forwards]
    for number in range(ahead):
        yield Pass(True, forwards[number])
    for number in range(total - ahead):
        yield Pass(True, forwards[ahead + number])
        yield Pass(False, backwards[number])
    for number in range(total - ahead, total):
        yield Pass(False, backwards[number])


def _chunk(number: int, stages: int, chunks: int) -> int:
    return number % (stages * chunks) // stages


def idle_share(stages: int, chunks: int, micro_batches: int) -> float:
    """Time that a stage waits, over the time that it works (Narayanan et al., 2021, section 2.2)."""
    return (stages - 1) / (chunks * micro_batches)
