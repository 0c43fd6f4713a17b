"""Generation and scoring from a Megatron model in place: no copy of the weights, caches for attention and Mamba."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.generate.continuous import ContinuousBatch
from prism.generate.protocol import Request, Response, Sampling, Scored, Tokens
from prism.generate.scoring import score_continuations
from prism.generate.stop_texts import StopTexts
from prism.megatron.backend import backend
from prism.megatron.forward import evaluation_mode, mean_hidden_states, require_decodable, token_logprobs

_TOKENS_AT_LEAST, _TOKENS_AT_MOST = 1_024, 32_768
"""Of one pass for hidden states, the most with its padding: input sets have texts of any length."""
_MOST_PADDING = 1.1
"""Tokens with padding over tokens, where a pass is large enough."""


class MegatronLanguageModel:
    """Implements `prism.generate.protocol.ScoringModel`.

    Args:
        chunk: the whole model (it may be split over tensor-parallel ranks, which then all call together).
        vocab_size: tokens that the tokenizer knows; padding beyond them is never drawn.
        context_length: most tokens of a sequence.
        slots: most sequences that decode, or are scored, together.
    """

    def __init__(self, chunk: torch.nn.Module, vocab_size: int, context_length: int, slots: int = 512) -> None:
        require_decodable(chunk)
        self._chunk = chunk
        self._vocab_size = vocab_size
        self._context_length = context_length
        self._slots = slots
        self._device = backend().device

    @property
    def chunk(self) -> torch.nn.Module:
        """The model; new weights may be put into it in place between calls."""
        return self._chunk

    @property
    def context_length(self) -> int:
        return self._context_length

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        """See `Generator.generate`.

        Raises:
            BadInput: a prompt is empty or leaves no room for a single token.
        """
        return self._generate(requests, sampling, None)

    def generate_until(self, requests: Sequence[Request], sampling: Sampling, until: StopTexts) -> list[Response]:
        """See `ScoringModel.generate_until`, and `generate` for what is raised."""
        return self._generate(requests, sampling, until)

    def score(self, contexts: Sequence[Tokens], continuations: Sequence[Tokens]) -> list[Scored]:
        """See `ScoringModel.score`.

        Raises:
            BadInput: a side of a pair is empty, or the pair doesn't fit.
        """
        with evaluation_mode(self._chunk) as module:
            return score_continuations(
                module, contexts, continuations, self._context_length, self._vocab_size, self._device
            )

    def _generate(self, requests: Sequence[Request], sampling: Sampling, until: StopTexts | None) -> list[Response]:
        if not requests:
            return []
        limits = [self._limit(number, request, sampling) for number, request in enumerate(requests)]
        with evaluation_mode(self._chunk) as module:
            batch = ContinuousBatch(
                module,
                requests,
                limits,
                sampling,
                slots=min(self._slots, len(requests)),
                vocab_size=self._vocab_size,
                device=self._device,
                until=until,
            )
            return batch.run()

    def logprobs(self, sequences: Sequence[Tokens]) -> list[list[float]]:
        """See `LanguageModel.logprobs`."""
        results: list[list[float]] = [[] for _ in sequences]
        with evaluation_mode(self._chunk) as module:
            for rows in self._by_length([len(sequence) for sequence in sequences]):
                values = token_logprobs(module, self._pad([sequences[row] for row in rows])).tolist()
                for row, line in zip(rows, values, strict=True):
                    results[row] = line[: len(sequences[row]) - 1]
        return results

    def hidden_states(self, sequences: Sequence[Tokens]) -> Tensor:
        """See `LanguageModel.hidden_states`."""
        order: list[int] = []
        parts: list[Tensor] = []
        with evaluation_mode(self._chunk) as module:
            for rows in self._by_tokens([len(sequence) for sequence in sequences]):
                lengths = torch.tensor([len(sequences[row]) for row in rows], device=self._device)
                padded = self._pad([sequences[row] for row in rows])
                parts.append(mean_hidden_states(module, padded, lengths).cpu())
                order += rows
        return torch.cat(parts, 1)[:, torch.tensor(order).argsort()]

    def _by_length(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Row numbers in batches of similar length, so that little is padded."""
        order = sorted(range(len(lengths)), key=lambda row: lengths[row])
        for start in range(0, len(order), self._slots):
            yield order[start : start + self._slots]

    def _by_tokens(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """The same for texts of any length: a batch ends where one more would pad too much, or make it too large."""
        batch: list[int] = []
        own = 0
        for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
            padded = (len(batch) + 1) * lengths[row]
            wasteful = own >= _TOKENS_AT_LEAST and padded > _MOST_PADDING * (own + lengths[row])
            if batch and (wasteful or padded > _TOKENS_AT_MOST or len(batch) == self._slots):
                yield batch
                batch, own = [], 0
            batch.append(row)
            own += lengths[row]
        if batch:
            yield batch

    def _pad(self, sequences: Sequence[Tokens]) -> Tensor:
        """(sequences, longest), padded on the right."""
        padded = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.long)
        for row, sequence in enumerate(sequences):
            padded[row, : len(sequence)] = torch.tensor(sequence)
        return padded.to(self._device)

    def _limit(self, number: int, request: Request, sampling: Sampling) -> int:
        """Most tokens of a response."""
        length = len(request.prompt)
        if not 0 < length < self._context_length:
            raise BadInput(
                f"prompt {number} has {length} tokens, the context holds {self._context_length}",
                place="generate",
                remedy="leave out prompts that don't fit (evaluation counts them as skipped)",
            )
        own = request.max_new_tokens or sampling.max_new_tokens
        return min(own, sampling.max_new_tokens, self._context_length - length)
