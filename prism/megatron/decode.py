"""What cached decoding remembers of a batch of sequences: roped keys and values, Mamba states, padding.

Prompts of different lengths are padded on the left, so that all rows append at the same position. RoPE is
relative, so a row's offset doesn't matter; padded positions are masked in attention and, in Mamba layers,
their inputs are zeroed (see `prism.megatron.mamba`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from megatron.core.inference.contexts import BaseInferenceContext
from torch import Tensor

if TYPE_CHECKING:
    from prism.megatron.mamba import MambaState


@dataclass
class KeyValueCache:
    """Roped keys and values of one layer. Shapes: (batch, groups, capacity, head_dim)."""

    keys: Tensor | None = None
    values: Tensor | None = None
    capacity: int = 0

    def append(self, key: Tensor, value: Tensor, position: int) -> tuple[Tensor, Tensor]:
        """Writes (batch, groups, new, dim) at `position`; returns everything up to there."""
        if self.keys is None or self.values is None:
            batch, groups, _, dim = key.shape
            self.keys = key.new_zeros(batch, groups, self.capacity, dim)
            self.values = torch.zeros_like(self.keys)
        end = position + key.size(2)
        self.keys[:, :, position:end] = key
        self.values[:, :, position:end] = value
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, rows: Tensor) -> None:
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]


class DecodeContext(BaseInferenceContext):
    """Hands megatron-core's layers their caches. One object serves one batch from prefill to the last token.

    Args:
        padding: left pads of each row, shape (batch,).
        capacity: most positions that any row will reach, pads included.
    """

    def __init__(self, padding: Tensor, capacity: int) -> None:
        super().__init__(materialize_only_last_token_logits=True)
        self.padding = padding
        self.max_sequence_length = capacity
        self.max_batch_size = len(padding)
        self.position = 0
        self.mask: Tensor | None = None
        self.keep: Tensor | None = None
        self.mamba_states: dict[int, MambaState] = {}
        self._caches: dict[int, KeyValueCache] = {}

    @property
    def decoding(self) -> bool:
        """True once the prompts are in: one token a row at a time from then on."""
        return self.position > 0

    def begin(self, tokens: int) -> None:
        """Prepares the masks for a forward pass over the next `tokens` positions of every row."""
        end = self.position + tokens
        positions = torch.arange(end, device=self.padding.device)
        present = positions[None, :] >= self.padding[:, None]  # (batch, end)
        if tokens == 1 and self.decoding:
            self.mask = present[:, None, None, :]
            self.keep = None
            return
        causal = positions[None, :] <= positions[self.position :, None]  # (tokens, end)
        own = positions[None, :] == positions[self.position :, None]  # a pad sees itself, else softmax is NaN
        self.mask = (causal[None] & present[:, None, :] | own[None])[:, None]
        self.keep = present if bool(self.padding.any()) else None

    def advance(self, tokens: int) -> None:
        self.position += tokens

    def keep_rows(self, rows: Tensor) -> None:
        """Drops finished sequences; `rows` are the indices that stay."""
        self.padding = self.padding[rows]
        self.max_batch_size = len(rows)
        for cache in self._caches.values():
            cache.keep(rows)
        for number, state in self.mamba_states.items():
            self.mamba_states[number] = type(state)(conv=state.conv[rows], ssm=state.ssm[rows])

    def key_value_cache(self, layer_number: int) -> KeyValueCache:
        return self._caches.setdefault(layer_number, KeyValueCache(capacity=self.max_sequence_length))

    def is_static_batching(self) -> bool:
        return True

    def is_decode_only(self) -> bool:
        return self.decoding
