"""One token a slot through the layers of this rank's chunk.

megatron-core's layers are made for whole sequences: their forward passes take more time around the arithmetic than in
it when a step is one token. Here the same modules are walked, with the residual stream as a matrix (slots, hidden):
what is computed is the same, and `tests/megatron/test_decode.py` holds it to the full forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.ssm.mamba_layer import MambaLayer
from torch import Tensor

from prism.kernels.norm import rms_norm
from prism.megatron.attention import PrismSelfAttention
from prism.megatron.decode import DecodeContext, Part, Plan
from prism.megatron.decode_cpu import (
    CompiledAttention,
    CompiledHead,
    CompiledMLP,
    serves,
    serves_embedding,
    serves_head,
)
from prism.megatron.linear import PrismRowParallelLinear
from prism.megatron.mlp import PrismMLP
from prism.megatron.multipliers import residual_multiplier
from prism.megatron.norm import TorchRMSNorm


def decode_token(module: Any, tokens: Tensor, context: DecodeContext, hidden: Tensor | None) -> Tensor:
    """Logits of the next token (1, slots, vocabulary) on the last pipeline stage, elsewhere (1, slots, hidden).

    Args:
        tokens: (slots,).
        hidden: the stage before's, (1, slots, hidden); None on the first.
    """
    plan = context.plan
    if plan is None:
        plan = context.plan = _plan(module, len(tokens))
    if hidden is not None:
        x = hidden[0]
    else:
        assert plan.embed is not None
        x = plan.embed(tokens, context)
    angles = None
    if getattr(module, "position_embedding_type", None) == "rope":
        angles = module.rotary_pos_emb(context.max_sequence_length)
    for part in plan.parts:
        x = part(x, context, angles)
    return (x if plan.head is None else plan.head(x))[None]


def _plan(module: Any, slots: int) -> Plan:
    multiplier = residual_multiplier(module)
    return Plan(
        _embed(module.embedding) if module.pre_process else None,
        [part for layer in module.decoder.layers for part in _parts(layer, multiplier, slots)],
        _head(module, slots) if module.post_process else None,
    )


def _embed(embedding: Any) -> Callable[[Tensor, DecodeContext], Tensor]:
    if serves_embedding(embedding):
        return lambda tokens, _: F.embedding(tokens, embedding.word_embeddings.weight)

    def embedded(tokens: Tensor, context: DecodeContext) -> Tensor:
        found: Tensor = embedding(input_ids=tokens[:, None], position_ids=context.lengths[:, None])
        return found[0]

    return embedded


def _head(module: Any, slots: int) -> Callable[[Tensor], Tensor]:
    norm = module.decoder.final_norm if hasattr(module.decoder, "final_norm") else module.decoder.final_layernorm
    tied = module.share_embeddings_and_output_weights
    weight = module.shared_embedding_or_output_weight() if tied else None
    if serves_head(norm, module.output_layer):
        return CompiledHead(norm, module.output_layer.weight if weight is None else weight, module.logits_rule, slots)

    def logits(x: Tensor) -> Tensor:
        found: Tensor = module.output_layer(norm(x)[None], weight=weight, runtime_gather_output=True)[0]
        return found[0]

    return logits


def _parts(layer: Any, multiplier: float, slots: int) -> Iterator[Part]:
    """What a layer adds to the residual stream, one after the other."""
    if isinstance(layer, MambaLayer):
        yield partial(_mamba, layer, multiplier)
        return
    attention, mlp = layer.self_attention, layer.mlp
    if isinstance(attention, PrismSelfAttention):
        norm = layer.input_layernorm
        compiled = serves(norm, attention.linear_qkv, attention.linear_proj)
        yield (
            CompiledAttention(norm, attention, multiplier, slots)
            if compiled
            else partial(_attention, layer, multiplier)
        )
    if isinstance(mlp, PrismMLP):
        norm = layer.pre_mlp_layernorm
        compiled = serves(norm, mlp.linear_fc1, mlp.linear_fc2)
        yield CompiledMLP(norm, mlp, multiplier, slots) if compiled else partial(_mlp, layer, multiplier)


def _mamba(layer: Any, multiplier: float, x: Tensor, context: DecodeContext, angles: Tensor | None) -> Tensor:
    return _add(x, layer.mixer.out_proj, layer.mixer.token(_normed(layer.norm, x), context), multiplier)


def _attention(layer: Any, multiplier: float, x: Tensor, context: DecodeContext, angles: Tensor | None) -> Tensor:
    seen = layer.self_attention.token(_normed(layer.input_layernorm, x), context, angles)
    return _add(x, layer.self_attention.linear_proj, seen, multiplier)


def _mlp(layer: Any, multiplier: float, x: Tensor, context: DecodeContext, angles: Tensor | None) -> Tensor:
    return _add(x, layer.mlp.linear_fc2, layer.mlp.token(_normed(layer.pre_mlp_layernorm, x)), multiplier)


def _add(x: Tensor, projection: Any, inner: Tensor, multiplier: float) -> Tensor:
    """x + multiplier x projection(inner)."""
    if isinstance(projection, PrismRowParallelLinear) and projection.tp_group.size() == 1:
        return torch.addmm(x, inner, projection.weight.t(), alpha=multiplier)
    return torch.add(x, projection(inner[None])[0][0], alpha=multiplier)


def _normed(norm: TorchRMSNorm, x: Tensor) -> Tensor:
    assert norm.eps is not None
    return rms_norm(x, norm.weight, norm.eps)
