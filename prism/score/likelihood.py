"""How likely a language model finds given text: continuations of a context, and whole documents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism.errors import BadInput

if TYPE_CHECKING:
    from prism.generate.protocol import LanguageModel

_TOKENS_AT_ONCE = 8_192
"""Padded tokens of one forward pass: bounds the logits that are in memory together."""


@dataclass(frozen=True)
class DocumentBits:
    """What a document costs under a model. `tokens` counts the predicted tokens, `bits` their -log2 p."""

    bits: float
    tokens: int


def continuation_logprobs(
    model: LanguageModel, contexts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """log p(continuation | context) in nats, summed over the continuation's tokens, pair by pair.

    Raises:
        BadInput: a pair has an empty side or doesn't fit the model's context.
    """
    sequences = []
    for index, (context, continuation) in enumerate(zip(contexts, continuations, strict=True)):
        length = len(context) + len(continuation)
        if not context or not continuation or length > model.context_length:
            raise BadInput(
                f"pair {index} has {len(context)} + {len(continuation)} tokens, "
                f"the model's context holds {model.context_length}",
                place="continuation_logprobs",
                remedy="give both sides at least one token, and leave out pairs that don't fit",
            )
        sequences.append([*context, *continuation])
    scores = sequence_logprobs(model, sequences)
    return [math.fsum(values[-len(continuation) :]) for values, continuation in zip(scores, continuations, strict=True)]


def document_bits(model: LanguageModel, documents: Sequence[Sequence[int]], start_id: int) -> list[DocumentBits]:
    """Total -log2 p of each document's tokens.

    A document follows `start_id` (the end-of-document token), as it does in the training stream. One that is longer
    than the context is read in windows of the context's length that don't overlap: every token is predicted once,
    and the first of a window sees only the token before it.
    """
    pieces: list[list[int]] = []
    owners: list[int] = []
    for index, document in enumerate(documents):
        for piece in windows([start_id, *document], model.context_length):
            pieces.append(piece)
            owners.append(index)
    nats = [0.0] * len(documents)
    for index, values in zip(owners, sequence_logprobs(model, pieces), strict=True):
        nats[index] -= math.fsum(values)
    return [DocumentBits(total / math.log(2), len(document)) for total, document in zip(nats, documents, strict=True)]


def windows(tokens: Sequence[int], length: int) -> Iterator[list[int]]:
    """Windows of at most `length` tokens that share one token: each token but the first is predicted once."""
    for start in range(0, len(tokens) - 1, length - 1):
        yield list(tokens[start : start + length])


def sequence_logprobs(model: LanguageModel, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
    """`model.logprobs` in batches of similar length and bounded size; results in the order given."""
    results: list[list[float]] = [[] for _ in sequences]
    for rows in _batches([len(sequence) for sequence in sequences]):
        for row, values in zip(rows, model.logprobs([sequences[row] for row in rows]), strict=True):
            results[row] = values
    return results


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row numbers, shortest first, in batches whose padded size stays under the bound."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if rows and (len(rows) + 1) * lengths[row] > _TOKENS_AT_ONCE:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows
