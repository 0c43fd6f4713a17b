"""A layer's parts on one token a slot, on one CPU in float32: the products are torch's, all else is compiled.

They compute what `prism.megatron.decode_step` does with torch's operators, on the same weights, into buffers that are
made once; the residual stream is changed in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from prism.kernels import token_cpu
from prism.kernels.activation import squared_relu
from prism.megatron.attention import PrismSelfAttention
from prism.megatron.decode import DecodeContext
from prism.megatron.linear import PrismColumnParallelLinear, PrismRowParallelLinear
from prism.megatron.mlp import PrismMLP
from prism.megatron.multipliers import LogitsRule
from prism.megatron.norm import TorchRMSNorm


def serves(norm: TorchRMSNorm, first: Any, last: Any) -> bool:
    """Whether a part with these projections can be computed here."""
    return (
        _on_cpu(norm)
        and type(first) is PrismColumnParallelLinear
        and type(last) is PrismRowParallelLinear
        and first.bias is None
        and last.bias is None
        and not first.gather_output
        and last.tp_group.size() == 1
    )


def serves_head(norm: TorchRMSNorm, output_layer: Any) -> bool:
    """Whether logits can be computed here."""
    return _on_cpu(norm) and output_layer.tp_group.size() == 1 and output_layer.bias is None


def serves_embedding(embedding: Any) -> bool:
    """Whether an embedding is its rows and nothing else: no multiplier, no positions, not cut over ranks."""
    words = embedding.word_embeddings
    bare = not embedding._forward_hooks and not embedding.add_position_embedding
    return bool(bare and words.weight.device.type == "cpu" and words.tp_group.size() == 1)


def _on_cpu(norm: TorchRMSNorm) -> bool:
    return norm.weight.device.type == "cpu" and norm.weight.dtype == torch.float32


class _Buffer:
    """A matrix that is written at every token, as torch and as numpy see it."""

    def __init__(self, *shape: int) -> None:
        self.tensor = torch.zeros(*shape)
        self.array = self.tensor.numpy()


class _Norm:
    def __init__(self, norm: TorchRMSNorm, slots: int) -> None:
        assert norm.eps is not None
        self._weight, self._epsilon = norm.weight.detach().numpy(), np.float32(norm.eps)
        self._out = _Buffer(slots, len(norm.weight))

    def __call__(self, x: Tensor) -> Tensor:
        token_cpu.rms_norm(x.numpy(), self._weight, self._epsilon, self._out.array)
        return self._out.tensor


class CompiledAttention:
    """x + multiplier x attention(norm(x))."""

    def __init__(self, norm: TorchRMSNorm, attention: PrismSelfAttention, multiplier: float, slots: int) -> None:
        core, self._dim = attention.core_attention, attention.hidden_size_per_attention_head
        self._layer, self._multiplier = attention.layer_number, multiplier
        self._norm = _Norm(norm, slots)
        self._first, self._last = (part.weight.detach().t() for part in (attention.linear_qkv, attention.linear_proj))
        self._groups = attention.num_query_groups_per_partition
        self._mixed = _Buffer(slots, self._first.shape[1])
        self._seen = _Buffer(slots, self._last.shape[0])
        self._attend = token_cpu.attend(self._dim)
        shape = slots, self._groups, -1, self._dim
        self._arrays = self._mixed.array.reshape(shape), self._seen.array.reshape(shape)
        self._scale = np.float32(self._dim**-0.5 if core.softmax_scale is None else core.softmax_scale)
        self._window = core.window or 0

    def __call__(self, x: Tensor, context: DecodeContext, angles: Tensor | None) -> Tensor:
        torch.mm(self._norm(x), self._first, out=self._mixed.tensor)
        cache = context.cache(self._layer, x, self._groups, self._dim)
        turned = [table.numpy() for table in context.rotation_tables(angles, self._dim)]
        held = [one.numpy() for one in (context.lengths, cache.keys, cache.values)]
        mixed, seen = self._arrays
        self._attend(mixed, *turned, *held, self._scale, self._window, seen)
        return torch.addmm(x, self._seen.tensor, self._last, alpha=self._multiplier, out=x)


class CompiledMLP:
    """x + multiplier x mlp(norm(x))."""

    def __init__(self, norm: TorchRMSNorm, mlp: PrismMLP, multiplier: float, slots: int) -> None:
        self._multiplier, self._gated = multiplier, mlp.config.gated_linear_unit
        self._norm = _Norm(norm, slots)
        self._first, self._last = (part.weight.detach().t() for part in (mlp.linear_fc1, mlp.linear_fc2))
        self._inner = _Buffer(slots, self._first.shape[1])
        self._active = _Buffer(slots, self._last.shape[0])

    def __call__(self, x: Tensor, context: DecodeContext, angles: Tensor | None) -> Tensor:
        torch.mm(self._norm(x), self._first, out=self._inner.tensor)
        active = self._active.tensor
        if self._gated:
            token_cpu.swiglu(self._inner.array, self._active.array)
        else:
            active = squared_relu(self._inner.tensor)
        return torch.addmm(x, active, self._last, alpha=self._multiplier, out=x)


class CompiledHead:
    """Logits of a model chunk that ends the pipeline, (slots, hidden) -> (slots, vocabulary)."""

    def __init__(self, norm: TorchRMSNorm, weight: Tensor, rule: LogitsRule, slots: int) -> None:
        self._norm, self._weight, self._rule = _Norm(norm, slots), weight.detach().t(), rule

    def __call__(self, x: Tensor) -> Tensor:
        return self._rule.hook(None, None, (torch.mm(self._norm(x), self._weight), None))[0]
