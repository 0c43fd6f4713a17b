"""Builds the model that a recipe describes, on this rank's part of the layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt import GPTModel
from megatron.core.tensor_parallel.layers import ColumnParallelLinear, RowParallelLinear
from megatron.core.transformer.attention import SelfAttentionSubmodules
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.identity_op import IdentityOp
from megatron.core.transformer.module import Float16Module
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_config import TransformerConfig
from megatron.core.transformer.transformer_layer import (
    TransformerLayer,
    TransformerLayerSubmodules,
)

from prism.formats.megatron_keys import padded_vocabulary
from prism.kernels.rope import scaled_frequencies
from prism.megatron.attention import PrismSelfAttention, SdpaCoreAttention
from prism.megatron.backend import backend
from prism.megatron.config import transformer_config
from prism.megatron.mlp import PrismMLP
from prism.megatron.multipliers import mask_padding, residual_add, scale_embedding_and_logits
from prism.megatron.norm import TorchRMSNorm
from prism.megatron.parallel import Layout

if TYPE_CHECKING:
    from prism.recipe import ModelConfig, RopeScalingConfig


def build_model(model: ModelConfig, vocab_size: int, layout: Layout, precision: str) -> torch.nn.Module:
    """This rank's chunk of the model, weights not yet set (see `initialise` and `checkpoint`).

    Args:
        vocab_size: tokens that the tokenizer knows; padded here.
    """
    config = transformer_config(model, layout, precision)
    placed: torch.nn.Module = construct(config, model, vocab_size).to(backend().device)
    return Float16Module(config, placed) if precision == "bf16" else placed


def construct(config: TransformerConfig, model: ModelConfig, vocab_size: int) -> Any:
    """This rank's chunk where torch puts new tensors, unwrapped."""
    vocabulary = padded_vocabulary(vocab_size, config.tensor_model_parallel_size)
    first, last = parallel_state.is_pipeline_first_stage(), parallel_state.is_pipeline_last_stage()
    if model.hybrid_pattern:
        from prism.megatron.hybrid import build_hybrid

        module = build_hybrid(config, model, vocab_size=vocabulary, pre_process=first, post_process=last)
    else:
        module = GPTModel(
            config=config,
            transformer_layer_spec=_block_spec(config, model),
            vocab_size=vocabulary,
            max_sequence_length=model.max_position_embeddings,
            pre_process=first,
            post_process=last,
            share_embeddings_and_output_weights=model.tie_embeddings,
            position_embedding_type="rope" if model.rope_base else "none",
            rotary_base=int(model.rope_base or 10_000),
        )
    scale_embedding_and_logits(module, model)
    mask_padding(module, vocab_size, vocabulary)
    if model.rope_base and model.rope_scaling is not None:
        stretch_rope(module.rotary_pos_emb, model.rope_scaling)
    return module


def stretch_rope(rope: Any, scaling: RopeScalingConfig) -> None:
    """Replaces the frequencies of megatron-core's RoPE; its own stretch knows only LLaMA 3.1's numbers."""
    rope.inv_freq = scaled_frequencies(
        rope.inv_freq,
        scaling.factor,
        scaling.low_frequency_factor,
        scaling.high_frequency_factor,
        scaling.original_context,
    )


def _block_spec(config: TransformerConfig, model: ModelConfig) -> TransformerBlockSubmodules:
    layers = [layer_spec(model)] * get_num_layers_to_build(config)
    return TransformerBlockSubmodules(layer_specs=layers, layer_norm=TorchRMSNorm)


def layer_spec(model: ModelConfig) -> ModuleSpec:
    """A pre-norm transformer layer: RMSNorm, self attention, RMSNorm, MLP."""
    return ModuleSpec(
        module=TransformerLayer,
        submodules=TransformerLayerSubmodules(
            input_layernorm=TorchRMSNorm,
            self_attention=attention_spec(),
            self_attn_bda=residual_add(model),
            pre_mlp_layernorm=TorchRMSNorm,
            mlp=PrismMLP,
            mlp_bda=residual_add(model),
        ),
    )


def attention_spec() -> ModuleSpec:
    return ModuleSpec(
        module=PrismSelfAttention,
        params={"attn_mask_type": AttnMaskType.causal},
        submodules=SelfAttentionSubmodules(
            linear_qkv=ColumnParallelLinear,
            core_attention=SdpaCoreAttention,
            linear_proj=RowParallelLinear,
            q_layernorm=IdentityOp,
            k_layernorm=IdentityOp,
        ),
    )
