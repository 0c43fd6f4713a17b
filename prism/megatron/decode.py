"""What cached decoding remembers of the sequences in its slots: roped keys and values, Mamba states, lengths.

Every slot holds a sequence of its own length. New prompts enter free slots together, padded on the right: what comes
after a prompt's end is never attended to, is overwritten by the tokens that follow, and leaves Mamba's states alone
(see `prism.megatron.mamba`). From then on all slots take a token at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from megatron.core.inference.contexts import BaseInferenceContext
from torch import Tensor

from prism.kernels.attention import windowed
from prism.kernels.rope import Rotation, rotation

if TYPE_CHECKING:
    from prism.megatron.mamba import MambaState

Part = Callable[[Tensor, Any, Tensor | None], Tensor]
"""A part of a layer on one token a slot: (slots, hidden), the context, RoPE's angles -> (slots, hidden)."""

_BLOCK = 64
"""Caches grow by whole blocks of positions, to half as much again at least."""


@dataclass(frozen=True)
class Plan:
    """How one token a slot goes through a model chunk, for a number of slots: see `prism.megatron.decode_step`.

    embed: tokens (slots,), the context -> (slots, hidden); None behind the first pipeline stage.
    head: (slots, hidden) -> logits (slots, vocabulary); None before the last.
    """

    embed: Callable[[Tensor, Any], Tensor] | None
    parts: Sequence[Part]
    head: Callable[[Tensor], Tensor] | None


@dataclass
class KeyValueCache:
    """Roped keys and values of one layer. Shapes: (slots, groups, capacity, dim)."""

    keys: Tensor
    values: Tensor

    def grow(self, capacity: int) -> None:
        self.keys, self.values = (_longer(old, capacity) for old in (self.keys, self.values))

    def keep(self, rows: Tensor) -> None:
        self.keys, self.values = self.keys[rows], self.values[rows]


class DecodeContext(BaseInferenceContext):
    """Hands megatron-core's layers their caches.

    Args:
        slots: sequences that it holds at most.
    """

    def __init__(self, slots: int, device: torch.device) -> None:
        super().__init__(materialize_only_last_token_logits=False)
        self.lengths = torch.zeros(slots, dtype=torch.long, device=device)
        """Tokens that each slot holds; free slots hold none."""
        self.max_batch_size = slots
        self.max_sequence_length = _BLOCK
        self.rows: Tensor | None = None
        """In a pass over prompts: the slots that they enter."""
        self.keep: Tensor | None = None
        """In a pass over prompts of different lengths: which positions aren't padding, (prompts, width)."""
        self.mamba_states: dict[int, MambaState] = {}
        self._caches: dict[int, KeyValueCache] = {}
        self._host_lengths = [0] * slots
        self._reach = 0
        self._biases: dict[tuple[int, int | None], Tensor | None] = {}
        self.new_lengths = self.lengths
        """In a pass over prompts: their lengths, (prompts,)."""
        self.sources = self.lengths
        """In a pass over prompts: which of them each of `rows` takes."""
        self._rotation: Rotation | None = None
        self._places: dict[int, Tensor] = {}
        self._tables: tuple[Tensor, Tensor] | None = None
        self.plan: Plan | None = None
        """For as many slots as there are; None until a token needs it."""

    @property
    def decoding(self) -> bool:
        """Whether all slots take one token; otherwise prompts enter."""
        return self.rows is None

    def begin_prompts(self, lengths: Sequence[int], slots: Sequence[int], sources: Sequence[int]) -> None:
        """Prepares for a pass over prompts of `lengths`, padded on the right.

        Args:
            slots: free ones, that they enter.
            sources: which prompt each of them takes; several may take the same.
        """
        device = self.lengths.device
        self.rows = torch.tensor(slots, device=device)
        self.sources = torch.tensor(sources, device=device)
        self.new_lengths = torch.tensor(lengths, device=device)
        width = max(lengths)
        self.keep = None
        if min(lengths) < width:
            self.keep = torch.arange(width, device=device)[None, :] < self.new_lengths[:, None]
        self._make_room(width)
        self._rotation = None
        for slot, source in zip(slots, sources, strict=True):
            self._host_lengths[slot] = lengths[source]

    def end_prompts(self) -> None:
        assert self.rows is not None
        self.lengths[self.rows] = self.new_lengths[self.sources]
        self.rows, self.keep = None, None

    def begin_token(self) -> None:
        """Prepares for a pass over one token of every slot; what free slots are given has no effect."""
        longest = max(self._host_lengths)
        self._make_room(longest + 1)
        self._reach = longest + 1
        self._rotation, self._biases, self._places = None, {}, {}

    def end_token(self) -> None:
        self.lengths += self.lengths > 0
        self._host_lengths = [length + 1 if length else 0 for length in self._host_lengths]

    def free(self, slots: Sequence[int]) -> None:
        """Forgets the sequences in these slots."""
        self.lengths[torch.tensor(slots, device=self.lengths.device)] = 0
        for slot in slots:
            self._host_lengths[slot] = 0

    def keep_slots(self, slots: Sequence[int]) -> None:
        """Drops all other slots; these are numbered anew, in this order."""
        rows = torch.tensor(slots, device=self.lengths.device)
        self.lengths = self.lengths[rows]
        self._host_lengths = [self._host_lengths[slot] for slot in slots]
        self.max_batch_size, self.plan = len(slots), None
        for cache in self._caches.values():
            cache.keep(rows)
        for number, state in self.mamba_states.items():
            self.mamba_states[number] = type(state)(conv=state.conv[rows], ssm=state.ssm[rows])

    def last_positions(self, hidden: Tensor) -> Tensor:
        """Each new prompt's last position: (width, prompts, hidden) -> (1, prompts, hidden)."""
        prompts = torch.arange(hidden.shape[1], device=hidden.device)
        return hidden[self.new_lengths - 1, prompts][None]

    def rotation_of_tokens(self, angles: Tensor, dtype: torch.dtype) -> Rotation:
        """RoPE of one token a slot, for heads of shape (slots, groups, heads, dim).

        Args: angles: of all positions, (positions, 1, 1, dim), as megatron-core makes them.
        """
        if self._rotation is None:
            self._rotation = rotation(angles[self.lengths], dtype)
        return self._rotation

    def rotation_tables(self, angles: Tensor | None, dim: int) -> tuple[Tensor, Tensor]:
        """cos and sin of all positions, (positions, dim), as `Rotation` has them; without RoPE they turn by nothing.

        Args: angles: see `rotation_of_tokens`.
        """
        if self._tables is None or len(self._tables[0]) < self.max_sequence_length:
            still = torch.zeros(self.max_sequence_length, 1, 1, dim, device=self.lengths.device)
            turned = rotation(still if angles is None else angles, torch.float32)
            self._tables = turned.cos.view(-1, dim).contiguous(), turned.sin.view(-1, dim).contiguous()
        return self._tables

    def bias(self, groups: int, window: int | None, dtype: torch.dtype) -> Tensor | None:
        """What is added to the scores of one token a slot, (slots x groups, 1, positions); None adds nothing."""
        key = groups, window
        if key not in self._biases:
            found = None
            if min(self._host_lengths) < self._reach - 1:
                seen = torch.arange(self._reach, device=self.lengths.device)[None, :] <= self.lengths[:, None]
                found = torch.where(seen, 0.0, float("-inf"))[:, None, :]
            if window is not None and self._reach > window:
                found = windowed(found, self.lengths, self._reach, window, torch.float32)
            self._biases[key] = None if found is None else found.to(dtype).repeat_interleave(groups, 0)
        return self._biases[key]

    def enter(self, layer: int, key: Tensor, value: Tensor) -> None:
        """Stores the keys and values of prompts in their slots: (width, prompts, groups, dim)."""
        assert self.rows is not None
        width, _, groups, dim = key.shape
        cache = self.cache(layer, key, groups, dim)
        cache.keys[self.rows, :, :width] = key.permute(1, 2, 0, 3)[self.sources]
        cache.values[self.rows, :, :width] = value.permute(1, 2, 0, 3)[self.sources]

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Stores those of one token a slot, (slots, groups, dim); returns all, (slots, groups, positions, dim)."""
        slots, groups, dim = key.shape
        cache = self.cache(layer, key, groups, dim)
        places = self._places.get(groups)
        if places is None:
            rows = torch.arange(slots * groups, device=key.device) * self.max_sequence_length
            places = self._places[groups] = rows + self.lengths.repeat_interleave(groups)
        cache.keys.view(-1, dim).index_copy_(0, places, key.reshape(-1, dim))
        cache.values.view(-1, dim).index_copy_(0, places, value.reshape(-1, dim))
        return cache.keys[:, :, : self._reach], cache.values[:, :, : self._reach]

    def cache(self, layer: int, like: Tensor, groups: int, dim: int) -> KeyValueCache:
        """Of a layer, made where it isn't there yet. Args: like: of the same type and device."""
        cache = self._caches.get(layer)
        if cache is None:
            shape = (len(self.lengths), groups, self.max_sequence_length, dim)
            cache = self._caches[layer] = KeyValueCache(like.new_zeros(shape), like.new_zeros(shape))
        return cache

    def is_static_batching(self) -> bool:
        return True

    def is_decode_only(self) -> bool:
        return self.decoding

    def _make_room(self, positions: int) -> None:
        if positions <= self.max_sequence_length:
            return
        wanted = max(positions, self.max_sequence_length * 3 // 2)
        self.max_sequence_length = -(-wanted // _BLOCK) * _BLOCK
        for cache in self._caches.values():
            cache.grow(self.max_sequence_length)


def _longer(old: Tensor, capacity: int) -> Tensor:
    slots, groups, held, dim = old.shape
    new = old.new_zeros(slots, groups, capacity, dim)
    new[:, :, :held] = old
    return new
