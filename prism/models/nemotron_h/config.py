"""Nemotron-H's config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prism.errors import RecipeError

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


def hf_config(model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
    """What transformers' `NemotronHConfig` reads.

    Raises:
        RecipeError: the model has no Mamba section or no pattern.
    """
    mamba = model.mamba
    if mamba is None or model.hybrid_pattern is None:
        raise RecipeError("family nemotron_h needs `mamba` and `hybrid_pattern`", place="model", remedy="set both keys")
    return {
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "nemotron_h",
        "hybrid_override_pattern": model.hybrid_pattern,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.ffn_hidden_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_attention_heads,
        "num_key_value_heads": model.num_query_groups or model.num_attention_heads,
        "head_dim": model.head_dim or model.hidden_size // model.num_attention_heads,
        "attention_head_dim": model.head_dim or model.hidden_size // model.num_attention_heads,
        "mlp_hidden_act": "relu2",
        "mamba_hidden_act": "silu",
        "mamba_num_heads": mamba.inner_size // mamba.head_dim,
        "mamba_head_dim": mamba.head_dim,
        "ssm_state_size": mamba.state_dim,
        "n_groups": mamba.num_groups,
        "conv_kernel": mamba.conv_kernel,
        "chunk_size": mamba.chunk_size,
        "expand": mamba.inner_size // model.hidden_size,
        "time_step_min": 0.0,  # transformers clamps the step size to it when it runs without fused kernels
        "use_conv_bias": True,
        "use_bias": False,
        "mlp_bias": False,
        "attention_bias": False,
        "layer_norm_epsilon": model.norm_epsilon,
        "max_position_embeddings": model.max_position_embeddings,
        "tie_word_embeddings": model.tie_embeddings,
        "residual_in_fp32": False,
        "rescale_prenorm_residual": False,
        "vocab_size": vocab_size,
        "bos_token_id": None,
        "pad_token_id": end_of_document_id,
        "eos_token_id": end_of_document_id,
    }
