"""Generation and scoring from a Megatron model in place: no copy of the weights, caches for attention and Mamba."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.generate.protocol import Response, Sampling, Tokens
from prism.generate.sampling import draw, uniforms
from prism.megatron.backend import backend
from prism.megatron.decode import DecodeContext
from prism.megatron.forward import (
    evaluation_mode,
    mean_hidden_states,
    next_token_logits,
    require_decodable,
    token_logprobs,
)

_COMPACT_BELOW = 0.75
"""Finished rows are dropped from the caches once fewer than this share of the rows are alive."""


class MegatronLanguageModel:
    """Implements `prism.generate.protocol.LanguageModel`.

    Args:
        chunk: the whole model (it may be split over tensor-parallel ranks, which then all call together).
        vocab_size: tokens that the tokenizer knows; padding beyond them is never drawn.
        context_length: most tokens of a sequence.
        batch_size: most sequences that decode together.
    """

    def __init__(self, chunk: torch.nn.Module, vocab_size: int, context_length: int, batch_size: int = 512) -> None:
        require_decodable(chunk)
        self._chunk = chunk
        self._vocab_size = vocab_size
        self._context_length = context_length
        self._batch_size = batch_size
        self._device = backend().device

    @property
    def context_length(self) -> int:
        return self._context_length

    def generate(self, prompts: Sequence[Tokens], sampling: Sampling, seed: int) -> list[Response]:
        """See `Generator.generate`.

        Raises:
            BadInput: a prompt is empty or leaves no room for a single token.
        """
        for index, prompt in enumerate(prompts):
            if not 0 < len(prompt) < self._context_length:
                raise BadInput(
                    f"prompt {index} has {len(prompt)} tokens, the context holds {self._context_length}",
                    place="generate",
                    remedy="leave out prompts that don't fit (evaluation counts them as skipped)",
                )
        noise = uniforms(seed, len(prompts), sampling.max_new_tokens).to(self._device)
        responses: list[Response | None] = [None] * len(prompts)
        with evaluation_mode(self._chunk) as module:
            for rows in self._by_length([len(prompt) for prompt in prompts]):
                batch = self._decode(module, [prompts[row] for row in rows], sampling, noise[rows])
                for row, response in zip(rows, batch, strict=True):
                    responses[row] = response
        return [response for response in responses if response is not None]

    def logprobs(self, sequences: Sequence[Tokens]) -> list[list[float]]:
        """See `LanguageModel.logprobs`."""
        results: list[list[float]] = [[] for _ in sequences]
        with evaluation_mode(self._chunk) as module:
            for rows in self._by_length([len(sequence) for sequence in sequences]):
                values = token_logprobs(module, self._pad([sequences[row] for row in rows], left=False)).tolist()
                for row, line in zip(rows, values, strict=True):
                    results[row] = line[: len(sequences[row]) - 1]
        return results

    def hidden_states(self, sequences: Sequence[Tokens]) -> Tensor:
        """See `LanguageModel.hidden_states`."""
        order: list[int] = []
        parts: list[Tensor] = []
        with evaluation_mode(self._chunk) as module:
            for rows in self._by_length([len(sequence) for sequence in sequences]):
                lengths = torch.tensor([len(sequences[row]) for row in rows], device=self._device)
                padded = self._pad([sequences[row] for row in rows], left=False)
                parts.append(mean_hidden_states(module, padded, lengths).cpu())
                order += rows
        return torch.cat(parts, 1)[:, torch.tensor(order).argsort()]

    def _by_length(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Row numbers in batches of similar length, so that little is padded."""
        order = sorted(range(len(lengths)), key=lambda row: lengths[row])
        for start in range(0, len(order), self._batch_size):
            yield order[start : start + self._batch_size]

    def _pad(self, sequences: Sequence[Tokens], *, left: bool) -> Tensor:
        width = max(map(len, sequences))
        padded = torch.zeros(len(sequences), width, dtype=torch.long)
        for row, sequence in enumerate(sequences):
            start = width - len(sequence) if left else 0
            padded[row, start : start + len(sequence)] = torch.tensor(sequence)
        return padded.to(self._device)

    def _decode(
        self, module: torch.nn.Module, prompts: Sequence[Tokens], sampling: Sampling, noise: Tensor
    ) -> list[Response]:
        tokens = self._pad(prompts, left=True)
        rows, width = tokens.shape
        padding = torch.tensor([width - len(prompt) for prompt in prompts], device=self._device)
        room = torch.tensor([self._context_length - len(prompt) for prompt in prompts], device=self._device)
        steps = min(sampling.max_new_tokens, int(room.max()))
        context = DecodeContext(padding, capacity=width + steps)
        stops = torch.tensor(sampling.stop_ids, device=self._device)
        drawn = torch.zeros(rows, steps, dtype=torch.long, device=self._device)
        logprobs = torch.zeros(rows, steps, device=self._device)
        lengths = torch.zeros(rows, dtype=torch.long, device=self._device)
        stopped = torch.zeros(rows, dtype=torch.bool, device=self._device)
        alive = torch.arange(rows, device=self._device)  # rows of the caches -> rows of the batch
        running = torch.ones(rows, dtype=torch.bool, device=self._device)
        for step in range(steps):
            logits = next_token_logits(module, tokens, context)
            chosen = draw(logits[:, : self._vocab_size], noise[alive, step], sampling.temperature, sampling.top_p)
            chosen_logprobs = torch.log_softmax(logits, -1).gather(1, chosen[:, None]).squeeze(1)
            now = alive[running]
            drawn[now, step] = chosen[running]
            logprobs[now, step] = chosen_logprobs[running]
            lengths[now] = step + 1
            is_stop = torch.isin(chosen, stops)
            stopped[now] = is_stop[running]
            running = running & ~is_stop & (room[alive] > step + 1)
            left = int(running.sum())
            if left == 0:
                break
            tokens = chosen[:, None]
            if left < _COMPACT_BELOW * len(alive):
                kept = running.nonzero().squeeze(1)
                context.keep_rows(kept)
                alive, tokens, running = alive[kept], tokens[kept], running[kept]
        return [
            Response(tuple(line[:length]), tuple(scores[:length]), stop)
            for line, scores, length, stop in zip(
                drawn.tolist(), logprobs.tolist(), lengths.tolist(), stopped.tolist(), strict=True
            )
        ]
