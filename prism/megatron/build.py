"""Builds the model that a recipe describes, on this rank's part of the layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt import GPTModel
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
from prism.megatron.chunked_loss import LossInChunks
from prism.megatron.config import transformer_config
from prism.megatron.linear import column_parallel, row_parallel
from prism.megatron.mlp import PrismMLP
from prism.megatron.multipliers import LogitsRule, remember_multiplier, residual_add, scale_embedding
from prism.megatron.norm import TorchRMSNorm
from prism.megatron.parallel import Layout

if TYPE_CHECKING:
    from prism.recipe import ModelConfig, RopeScalingConfig


class DenseModel(LossInChunks, GPTModel):
    """megatron-core's GPT with a loss that needs no more logits at once than it is told."""


def build_model(model: ModelConfig, vocab_size: int, layout: Layout, precision: str) -> torch.nn.Module:
    """This rank's part of a model in one chunk, weights not yet set (see `initialise` and `checkpoint`).

    Args:
        vocab_size: tokens that the tokenizer knows; padded here.
    """
    (chunk,) = build_chunks(model, vocab_size, transformer_config(model, layout, precision), layout.loss_chunk_tokens)
    return chunk


def build_chunks(
    model: ModelConfig, vocab_size: int, config: TransformerConfig, loss_chunk: int | None
) -> list[torch.nn.Module]:
    """This rank's chunks, in their order along the pipeline: one, or `virtual_pipeline` of them. See `build_model`.

    Args:
        loss_chunk: positions whose logits a loss may hold at once; None means all.
    """
    chunks: list[torch.nn.Module] = []
    for stage in range(config.virtual_pipeline_model_parallel_size or 1):
        module = construct(config, model, vocab_size, stage)
        module.loss_chunk = loss_chunk
        placed: torch.nn.Module = module.to(backend().device)
        chunks.append(Float16Module(config, placed) if config.bf16 else placed)
    return chunks


def construct(config: TransformerConfig, model: ModelConfig, vocab_size: int, stage: int = 0) -> Any:
    """One of this rank's chunks where torch puts new tensors, unwrapped. `stage` counts the chunks."""
    vocabulary = padded_vocabulary(vocab_size, config.tensor_model_parallel_size)
    chunks = config.virtual_pipeline_model_parallel_size
    virtual = None if chunks is None else stage
    first = parallel_state.is_pipeline_first_stage() and stage == 0
    last = parallel_state.is_pipeline_last_stage() and stage == (chunks or 1) - 1
    if model.hybrid_pattern:
        from prism.megatron.hybrid import build_hybrid

        module = build_hybrid(config, model, vocab_size=vocabulary, pre_process=first, post_process=last)
    else:
        module = DenseModel(
            config=config,
            transformer_layer_spec=_block_spec(config, model, virtual),
            vocab_size=vocabulary,
            max_sequence_length=model.max_position_embeddings,
            pre_process=first,
            post_process=last,
            share_embeddings_and_output_weights=model.tie_embeddings,
            position_embedding_type="rope" if model.rope_base else "none",
            rotary_base=int(model.rope_base or 10_000),
            vp_stage=virtual,
        )
    scale_embedding(module, model)
    remember_multiplier(module, model)
    if module.post_process:
        module.logits_rule = LogitsRule(model.logits_scaling, vocab_size, vocabulary)
        module.output_layer.register_forward_hook(module.logits_rule.hook)
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


def _block_spec(config: TransformerConfig, model: ModelConfig, virtual: int | None) -> TransformerBlockSubmodules:
    layers = [layer_spec(config, model)] * get_num_layers_to_build(config, virtual)
    return TransformerBlockSubmodules(layer_specs=layers, layer_norm=TorchRMSNorm)


def layer_spec(config: TransformerConfig, model: ModelConfig) -> ModuleSpec:
    """A pre-norm transformer layer: RMSNorm, self attention, RMSNorm, MLP."""
    return ModuleSpec(
        module=TransformerLayer,
        submodules=TransformerLayerSubmodules(
            input_layernorm=TorchRMSNorm,
            self_attention=attention_spec(config),
            self_attn_bda=residual_add(model),
            pre_mlp_layernorm=TorchRMSNorm,
            mlp=PrismMLP,
            mlp_bda=residual_add(model),
        ),
    )


def attention_spec(config: TransformerConfig) -> ModuleSpec:
    return ModuleSpec(
        module=PrismSelfAttention,
        params={"attn_mask_type": AttnMaskType.causal},
        submodules=SelfAttentionSubmodules(
            linear_qkv=column_parallel(config),
            core_attention=SdpaCoreAttention,
            linear_proj=row_parallel(config),
            q_layernorm=IdentityOp,
            k_layernorm=IdentityOp,
        ),
    )
