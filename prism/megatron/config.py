"""From the recipe's model section to megatron-core's TransformerConfig."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from megatron.core.activations import squared_relu
from megatron.core.transformer.transformer_config import TransformerConfig

from prism.errors import RecipeError
from prism.megatron.backend import backend
from prism.megatron.parallel import Layout

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp8": torch.bfloat16}
"""Of weights and activations; with fp8 the linear layers of attention and MLPs multiply in 8 bits."""


def transformer_config(model: ModelConfig, layout: Layout, precision: str) -> TransformerConfig:
    """megatron-core's configuration of `model` at `layout`.

    Fusions that need CUDA kernels are off on the CPU; point-to-point batching is off there too, because it
    is silently wrong on gloo with interleaved pipelines.

    Raises:
        RecipeError: an interleaved pipeline of a hybrid.
    """
    if model.hybrid_pattern and layout.virtual > 1:
        raise RecipeError(
            f"virtual_pipeline {layout.virtual}: megatron-core doesn't interleave hybrid models",
            place="cluster.virtual_pipeline",
            remedy="set it to 1",
        )
    dtype = _DTYPES[precision]
    on_cuda = backend().name == "cuda"
    gated = model.activation == "swiglu"
    mamba = model.mamba
    hybrid = {}
    if model.hybrid_pattern and mamba is not None:
        hybrid = {
            "mamba_state_dim": mamba.state_dim,
            "mamba_head_dim": mamba.head_dim,
            "mamba_num_groups": mamba.num_groups,
            "mamba_num_heads": mamba.inner_size // mamba.head_dim,
            "is_hybrid_model": True,
        }
    return TransformerConfig(
        num_layers=model.num_layers,
        hidden_size=model.hidden_size,
        num_attention_heads=model.num_attention_heads,
        num_query_groups=model.num_query_groups or model.num_attention_heads,
        kv_channels=model.head_dim or model.hidden_size // model.num_attention_heads,
        ffn_hidden_size=model.ffn_hidden_size,
        gated_linear_unit=gated,
        activation_func=F.silu if gated else squared_relu,
        normalization="RMSNorm",
        layernorm_epsilon=model.norm_epsilon,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        softmax_scale=model.attention_multiplier,
        window_size=(model.sliding_window - 1, 0) if model.sliding_window else None,
        params_dtype=dtype,
        pipeline_dtype=dtype,
        bf16=dtype == torch.bfloat16,
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        virtual_pipeline_model_parallel_size=layout.virtual if layout.virtual > 1 else None,
        context_parallel_size=layout.context,
        sequence_parallel=layout.sequence_parallel,
        use_cpu_initialization=not on_cuda,
        batch_p2p_comm=on_cuda,
        gradient_accumulation_fusion=False,
        bias_activation_fusion=on_cuda and gated,
        bias_dropout_fusion=on_cuda,
        masked_softmax_fusion=False,
        apply_rope_fusion=False,
        **_recomputation(layout),
        **({"fp8": "hybrid", "fp8_recipe": "tensorwise"} if precision == "fp8" else {}),
        **hybrid,
    )


def _recomputation(layout: Layout) -> dict[str, Any]:
    """What megatron-core is told of `layout.recompute`; `HybridStack` reads the same fields."""
    if layout.recompute == "selective":
        return {"recompute_granularity": "selective", "recompute_modules": ["mlp"]}
    if layout.recompute == "full":
        part = layout.recompute_layers is not None
        return {
            "recompute_granularity": "full",
            "recompute_method": "block" if part else "uniform",
            "recompute_num_layers": layout.recompute_layers or 1,
        }
    return {}
