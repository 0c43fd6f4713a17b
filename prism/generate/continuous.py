"""Continuous batching: a response that ends leaves its slot, and the next prompt enters.

All slots take a token at a time. Prompts enter several at once, and a prompt with several responses is computed once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from prism.generate.protocol import Request, Response, Sampling
from prism.generate.sampling import draw, uniforms
from prism.generate.stop_texts import StopTexts
from prism.megatron.decode import DecodeContext
from prism.megatron.forward import next_token_logits, prompt_logits

_NOISE = 32
"""Random numbers that each slot draws ahead."""

_COMPACT_BELOW = 0.75
"""Free slots are dropped once fewer than this share are taken and no prompt waits."""

_LOOK_EVERY = 8
"""Steps from one look for stop texts to the next."""

_PROMPT_TOKENS = 65_536
"""Most prompt tokens, padding included, that enter in one pass."""


class ContinuousBatch:
    """Answers `requests` with a model; used once. All ranks of a replica run it alike.

    Args:
        slots: sequences that decode together.
        limits: most tokens of each response.
        vocab_size: tokens that may be drawn.
        until: texts that end a response, some steps after it contains one.
    """

    def __init__(
        self,
        module: Any,
        requests: Sequence[Request],
        limits: Sequence[int],
        sampling: Sampling,
        *,
        slots: int,
        vocab_size: int,
        device: torch.device,
        until: StopTexts | None = None,
    ) -> None:
        self._until, self._steps = until, 0
        self._module, self._requests, self._limits, self._sampling = module, requests, limits, sampling
        self._vocab_size, self._device = vocab_size, device
        self._waiting = deque(range(len(requests)))
        self._responses: list[Response | None] = [None] * len(requests)
        self._owners: list[int | None] = [None] * slots
        # An idle slot costs its share of a step, a pass over prompts about a step: this many idle ones balance both.
        self._enough = max(1, min(slots, isqrt(2 * slots)))
        self._context = DecodeContext(slots, device)
        self._stops = torch.tensor(sampling.stop_ids, dtype=torch.long, device=device)
        # One row a slot.
        self._seeds, self._counts, self._most, self._last = torch.zeros(4, slots, dtype=torch.long, device=device)
        self._taken = torch.zeros(slots, dtype=torch.bool, device=device)
        self._tokens = torch.zeros(slots, _NOISE, dtype=torch.long, device=device)
        self._logprobs = torch.zeros(slots, _NOISE, device=device)
        self._longest = 0
        self._noise = torch.zeros(slots, 0, dtype=torch.float64, device=device)
        self._used = 0

    def run(self) -> list[Response]:
        """The responses, in the order of the requests."""
        while True:
            free = [slot for slot, owner in enumerate(self._owners) if owner is None]
            if not self._waiting and len(free) == len(self._owners):
                break
            if self._waiting and (len(free) >= min(self._enough, len(self._waiting)) or len(free) == len(self._owners)):
                self._admit(free)
                continue
            if not self._waiting and len(free) > (1 - _COMPACT_BELOW) * len(self._owners):
                self._compact()
            self._step()
        return [response for response in self._responses if response is not None]

    def _step(self) -> None:
        logits = next_token_logits(self._module, self._context, self._last)
        if self._used == self._noise.shape[1]:
            self._noise, self._used = uniforms(self._seeds, self._counts, _NOISE), 0
        chosen, logprobs = self._draw(logits, self._noise[:, self._used])
        self._used += 1
        self._make_room()
        places = torch.arange(len(chosen), device=self._device) * self._tokens.shape[1] + self._counts
        self._tokens.view(-1).index_copy_(0, places, chosen)
        self._logprobs.view(-1).index_copy_(0, places, logprobs)
        self._counts += self._taken
        self._last = chosen
        self._longest += 1
        self._steps += 1
        self._release(self._saying_stop() if self._until and self._steps % _LOOK_EVERY == 0 else ())

    def _saying_stop(self) -> list[int]:
        """Slots whose response contains a stop text. The end is looked at, and where it has one, the whole."""
        assert self._until is not None
        reach = min(self._tokens.shape[1], self._until.reach + _LOOK_EVERY)
        places = self._counts[:, None] + torch.arange(-reach, 0, device=self._device)
        ends, counts = self._tokens.gather(1, places.clamp(min=0)).tolist(), self._counts.tolist()
        return [
            slot
            for slot, owner in enumerate(self._owners)
            if owner is not None
            and self._until.found(ends[slot][-counts[slot] :])
            and self._until.found(self._tokens[slot, : counts[slot]].tolist())
        ]

    def _draw(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        return draw(logits[:, : self._vocab_size], uniform, self._sampling.temperature, self._sampling.top_p)

    def _make_room(self) -> None:
        if self._longest < self._tokens.shape[1]:
            return
        self._tokens = torch.cat([self._tokens, torch.zeros_like(self._tokens)], 1)
        self._logprobs = torch.cat([self._logprobs, torch.zeros_like(self._logprobs)], 1)

    def _release(self, said: Sequence[int] = ()) -> None:
        """Takes the responses that have just ended, and those in the slots `said`, out of their slots."""
        stopped = (self._last[:, None] == self._stops).any(-1)
        over = stopped | (self._counts >= self._most)
        over[list(said)] = True
        ended = (self._taken & over).nonzero().squeeze(1)
        if not len(ended):
            return
        slots, counts, by_stop = ended.tolist(), self._counts[ended].tolist(), stopped[ended].tolist()
        rows, scores = self._tokens[ended].tolist(), self._logprobs[ended].tolist()
        for slot, count, stop, row, line in zip(slots, counts, by_stop, rows, scores, strict=True):
            owner = self._owners[slot]
            assert owner is not None
            self._responses[owner] = Response(tuple(row[:count]), tuple(line[:count]), stop)
            self._owners[slot] = None
        self._taken[ended] = False
        self._counts[ended] = 0
        self._context.free(slots)
        self._longest = int(self._counts.max())

    def _admit(self, free: Sequence[int]) -> None:
        """Lets waiting prompts into the free slots, as many as one pass takes."""
        slots: list[int] = []
        owners: list[int] = []
        prompts: dict[tuple[int, ...], int] = {}
        sources: list[int] = []
        width = 0
        for slot in free:
            if not self._waiting:
                break
            prompt = tuple(self._requests[self._waiting[0]].prompt)
            new_width, count = max(width, len(prompt)), len(prompts) + (prompt not in prompts)
            if slots and new_width * count > _PROMPT_TOKENS:
                break
            width = new_width
            owner = self._owners[slot] = self._waiting.popleft()
            slots.append(slot)
            owners.append(owner)
            sources.append(prompts.setdefault(prompt, len(prompts)))
        padded = torch.zeros(len(prompts), width, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            padded[row, : len(prompt)] = torch.tensor(prompt)
        logits = prompt_logits(
            self._module, self._context, padded.to(self._device), [len(prompt) for prompt in prompts], slots, sources
        )
        self._begin(torch.tensor(slots, device=self._device), owners, logits)

    def _begin(self, rows: Tensor, owners: Sequence[int], logits: Tensor) -> None:
        """Draws the first token of the responses that enter the slots `rows`."""
        seeds = torch.tensor([self._requests[owner].seed for owner in owners], device=self._device)
        first = uniforms(seeds, torch.zeros_like(seeds), 1)[:, 0]
        chosen, logprobs = self._draw(logits, first)
        self._seeds[rows] = seeds
        self._most[rows] = torch.tensor([self._limits[owner] for owner in owners], device=self._device)
        self._tokens[rows, 0], self._logprobs[rows, 0] = chosen, logprobs
        self._counts[rows], self._last[rows], self._taken[rows] = 1, chosen, True
        self._longest = max(self._longest, 1)
        self._noise, self._used = self._noise[:, :0], 0
        self._release()

    def _compact(self) -> None:
        kept = [slot for slot, owner in enumerate(self._owners) if owner is not None]
        rows = torch.tensor(kept, device=self._device)
        self._owners = [self._owners[slot] for slot in kept]
        self._context.keep_slots(kept)
        self._seeds, self._counts, self._most, self._last, self._taken, self._tokens, self._logprobs, self._noise = (
            rows_of[rows]
            for rows_of in (
                self._seeds,
                self._counts,
                self._most,
                self._last,
                self._taken,
                self._tokens,
                self._logprobs,
                self._noise,
            )
        )
