"""From rollouts to micro batches: padded side by side, or packed end to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.megatron.backend import backend
from prism.megatron.forward import evaluation_mode, negative_logprobs

if TYPE_CHECKING:
    from prism.rl.rollout import Rollout


@dataclass(frozen=True)
class Weighted:
    """A response to train on: its advantage, and the weight of each of its tokens in the loss."""

    prompt: Sequence[int]
    response: Sequence[int]
    generator_logprobs: Sequence[float]
    advantage: float
    weight: float

    @property
    def positions(self) -> int:
        """That the model computes: every token but the last, which nothing follows."""
        return len(self.prompt) + len(self.response) - 1


@dataclass(frozen=True)
class RolloutBatch:
    """A micro batch of responses.

    tokens, labels: (sequences, length), int64. All others (sequences, length), float64; mask is 1 where the label is a
    response token. old_logprobs, reference_logprobs: None where the policy in training stands for them.
    ends: where it is one row of several documents, where each ends.
    """

    tokens: Tensor
    labels: Tensor
    mask: Tensor
    generator_logprobs: Tensor
    advantages: Tensor
    weights: Tensor
    ends: tuple[int, ...] | None = None
    old_logprobs: Tensor | None = None
    reference_logprobs: Tensor | None = None


def label_logprobs(chunk: torch.nn.Module, batch: RolloutBatch) -> Tensor:
    """Log-probabilities of the batch's labels under a model, no gradients: (sequences, length), float64."""
    with evaluation_mode(chunk) as module:
        losses = negative_logprobs(module, batch.tokens, batch.labels, batch.ends)
    return -losses.double()


def weigh(rollouts: Sequence[Rollout], advantages: Tensor, weights: Tensor) -> list[Weighted]:
    """Args: advantages, weights: one a rollout, (rollouts,)."""
    return [
        Weighted(one.prompt_tokens, one.response.tokens, one.response.logprobs, advantage, weight)
        for one, advantage, weight in zip(rollouts, advantages.tolist(), weights.tolist(), strict=True)
    ]


def share_of(items: Sequence[Weighted], rank: int, ranks: int) -> list[Weighted]:
    """This data-parallel rank's share of an update: every rank gets about as many tokens.

    The longest go first, to the ranks in turn, forwards and backwards. A rank that would have none gets one of weight
    zero, so that it takes part.
    """
    order = sorted(items, key=lambda item: item.positions, reverse=True)
    turn = [*range(ranks), *reversed(range(ranks))]
    own = [item for place, item in enumerate(order) if turn[place % len(turn)] == rank]
    return own or [_without_weight(order[-1])]


def padded(items: Sequence[Weighted], micro_batch_size: int, *, uniform: bool) -> list[RolloutBatch]:
    """Micro batches of up to `micro_batch_size` responses of similar length, padded on the right.

    Args: uniform: pads all to one shape, as pipeline stages need who tell each other no shapes.
    """
    order = sorted(items, key=lambda item: item.positions)
    parts = [order[start : start + micro_batch_size] for start in range(0, len(order), micro_batch_size)]
    if uniform and len(parts) > 1:
        parts[-1] = [*parts[-1], *[_without_weight(order[0])] * (micro_batch_size - len(parts[-1]))]
    longest = max(item.positions for item in items)
    return [
        _assemble(
            [[item] for item in part], longest if uniform else max(item.positions for item in part), documents=False
        )
        for part in parts
    ]


def packed(items: Sequence[Weighted], capacity: int, *, uniform: bool) -> list[RolloutBatch]:
    """Micro batches of one row of up to `capacity` tokens, filled by first fit, longest first.

    A longer response has a row of its own. Args: uniform: pads all rows to one length.
    """
    rows: list[list[Weighted]] = []
    room: list[int] = []
    for item in sorted(items, key=lambda item: item.positions, reverse=True):
        place = next((row for row, left in enumerate(room) if left >= item.positions), None)
        if place is None:
            place = len(rows)
            rows.append([])
            room.append(max(capacity, item.positions))
        rows[place].append(item)
        room[place] -= item.positions
    lengths = [sum(item.positions for item in row) for row in rows]
    return [
        _assemble([row], max(lengths) if uniform else length, documents=True)
        for row, length in zip(rows, lengths, strict=True)
    ]


def micro_batches(
    items: Sequence[Weighted], micro_batch_size: int, packing_tokens: int | None, *, uniform: bool
) -> list[RolloutBatch]:
    """Padded, or packed where `packing_tokens` says so."""
    if packing_tokens is None:
        return padded(items, micro_batch_size, uniform=uniform)
    return packed(items, packing_tokens, uniform=uniform)


def _assemble(rows: Sequence[Sequence[Weighted]], length: int, *, documents: bool) -> RolloutBatch:
    """Rows of responses end to end; a position's label is the token that follows it."""
    shape = (len(rows), length)
    tokens, labels = torch.zeros(2, *shape, dtype=torch.long)
    mask, generated, advantages, weights = torch.zeros(4, *shape, dtype=torch.float64)
    ends: list[int] = []
    for number, row in enumerate(rows):
        start = 0
        for item in row:
            end, first = start + item.positions, start + len(item.prompt) - 1
            whole = torch.tensor([*item.prompt, *item.response])
            tokens[number, start:end], labels[number, start:end] = whole[:-1], whole[1:]
            mask[number, first:end] = 1
            generated[number, first:end] = torch.tensor(item.generator_logprobs, dtype=torch.float64)
            advantages[number, first:end] = item.advantage
            weights[number, first:end] = item.weight
            ends.append(end)
            start = end
    if documents and ends[-1] < length:
        ends.append(length)
    to = _mover()
    return RolloutBatch(
        to(tokens),
        to(labels),
        to(mask),
        to(generated),
        to(advantages),
        to(weights),
        ends=tuple(ends) if documents else None,
    )


def _mover() -> Callable[[Tensor], Tensor]:
    device = backend().device
    return lambda tensor: tensor.contiguous().to(device)


def _without_weight(item: Weighted) -> Weighted:
    return Weighted(item.prompt, item.response, item.generator_logprobs, 0.0, 0.0)
