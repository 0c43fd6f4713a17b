"""Self attention for megatron-core with an SDPA core and a cache of roped keys.

megatron-core's unfused `DotProductAttention` builds the score matrix, and its static inference context
caches keys before RoPE and rotates all of them again at every token. Here the core is torch's
scaled-dot-product attention, and cached keys are rotated once.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.transformer.attention import SelfAttention
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor

from prism.kernels.attention import attention, attention_from, attention_of_one
from prism.kernels.rope import rotate
from prism.megatron.context_parallel import gather_sequence, ranks
from prism.megatron.decode import DecodeContext
from prism.megatron.linear import rows_times


class SdpaCoreAttention(torch.nn.Module):
    """Softmax attention without parameters; the module that megatron-core calls `core_attention`."""

    def __init__(
        self,
        config: TransformerConfig,
        layer_number: int,
        attn_mask_type: AttnMaskType,
        attention_type: str,
        softmax_scale: float | None = None,
        **_: Any,
    ) -> None:
        super().__init__()
        self.softmax_scale = softmax_scale
        self.window = None if config.window_size is None else config.window_size[0] + 1
        self.layer_number = layer_number
        self.context: DecodeContext | None = None

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        attn_mask_type: AttnMaskType | None = None,
        attention_bias: Tensor | None = None,
        packed_seq_params: Any = None,
    ) -> Tensor:
        """(seq, batch, heads, dim), key and value (seq, batch, groups, dim) -> (seq, batch, heads * dim)."""
        sequence, batch, heads, dim = query.shape
        # (seq, batch, heads, dim) -> (batch, heads, seq, dim)
        q, k, v = (tensor.permute(1, 2, 0, 3) for tensor in (query, key, value))
        if ranks() > 1:
            out = self._over_ranks(q, k, v, packed_seq_params)
            return out.permute(2, 0, 1, 3).reshape(sequence, batch, heads * dim)
        if self.context is not None:  # new prompts attend to themselves
            self.context.enter(self.layer_number, key, value)
            out = attention(q, k, v, causal=True, scale=self.softmax_scale, window=self.window)
        else:
            ends = None if packed_seq_params is None else packed_seq_params.cu_seqlens_q[1:].tolist()
            out = attention(q, k, v, causal=True, scale=self.softmax_scale, window=self.window, documents=ends)
        return out.permute(2, 0, 1, 3).reshape(sequence, batch, heads * dim)

    def _over_ranks(self, q: Tensor, k: Tensor, v: Tensor, packed_seq_params: Any) -> Tensor:
        """This rank's early and late queries against the keys of the whole sequence up to each chunk's end."""
        ends = None if packed_seq_params is None else packed_seq_params.cu_seqlens_q[1:].tolist()
        k, v = gather_sequence(k, 2), gather_sequence(v, 2)
        size, rank = ranks(), int(parallel_state.get_context_parallel_rank())
        length = q.shape[2] // 2
        parts = [
            attention_from(chunk, k, v, number * length, scale=self.softmax_scale, window=self.window, documents=ends)
            for chunk, number in zip(q.chunk(2, 2), (rank, 2 * size - 1 - rank), strict=True)
        ]
        return torch.cat(parts, 2)


class PrismSelfAttention(SelfAttention):
    """megatron-core's self attention, with RoPE applied here: once to each key, at the position the context says."""

    def _adjust_key_value_for_inference(
        self,
        inference_context: DecodeContext | None,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        rotary_pos_emb: tuple[Tensor, Tensor] | None,
        *_: Any,
        **__: Any,
    ) -> tuple[Tensor, Tensor, Tensor, None, AttnMaskType, None]:
        self.core_attention.context = inference_context
        if rotary_pos_emb is not None:
            angles = rotary_pos_emb[0][: query.size(0)]
            query, key = rotate(query, angles), rotate(key, angles)
        return query, key, value, None, self.attn_mask_type, None

    def token(self, hidden: Tensor, context: DecodeContext, angles: Tensor | None) -> Tensor:
        """One token a slot, up to the output projection: (slots, hidden) -> (slots, heads * dim).

        Args: angles: see `DecodeContext.rotation_of_tokens`; None without RoPE.
        """
        slots, core = len(hidden), self.core_attention
        groups = self.num_query_groups_per_partition
        mixed = rows_times(self.linear_qkv, hidden).view(slots, groups, -1, self.hidden_size_per_attention_head)
        roped, value = mixed[:, :, :-1], mixed[:, :, -1]
        if angles is not None:
            roped = context.rotation_of_tokens(angles, hidden.dtype).of(roped)
        keys, values = context.append(self.layer_number, roped[:, :, -1], value)
        bias = context.bias(groups, core.window, hidden.dtype)
        return attention_of_one(roped[:, :, :-1], keys, values, bias, core.softmax_scale).view(slots, -1)
