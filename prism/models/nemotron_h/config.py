"""Nemotron-H's config.json."""

from __future__ import annotations

from typing import Any

from prism.errors import RecipeError
from prism.models.dense_config import head_dim
from prism.models.hf_config import HfConfig
from prism.recipe import MambaConfig, ModelConfig

ARCHITECTURE = "NemotronHForCausalLM"
MODEL_TYPE = "nemotron_h"
_LETTERS = {
    "mamba": "M",
    "linear_attention": "M",
    "attention": "*",
    "full_attention": "*",
    "mlp": "-",
}


def from_hf(config: HfConfig) -> ModelConfig:
    """Raises BadInput on a key that this family doesn't support."""
    config.only(
        mlp_hidden_act="relu2",
        mamba_hidden_act="silu",
        attention_bias=False,
        mlp_bias=False,
        use_bias=False,
        mamba_proj_bias=False,
        use_conv_bias=True,
        residual_in_fp32=False,
        sliding_window=None,
    )
    pattern = _pattern(config)
    head = config.whole("attention_head_dim") if "attention_head_dim" in config else config.head_dim()
    mamba_head = config.whole("mamba_head_dim")
    return ModelConfig(
        family="nemotron_h",
        num_layers=len(pattern),
        hybrid_pattern=pattern,
        hidden_size=config.whole("hidden_size"),
        num_attention_heads=config.whole("num_attention_heads"),
        num_query_groups=config.whole("num_key_value_heads"),
        head_dim=head,
        ffn_hidden_size=config.whole("intermediate_size"),
        activation="squared_relu",
        norm_epsilon=config.number("layer_norm_epsilon", 1e-5),
        rope_base=None,  # the model has no position embedding, whatever rope_theta says
        max_position_embeddings=config.whole("max_position_embeddings"),
        tie_embeddings=config.flag("tie_word_embeddings", False),
        vocab_size=config.whole("vocab_size"),
        mamba=MambaConfig(
            inner_size=config.whole("mamba_num_heads") * mamba_head,
            state_dim=config.whole("ssm_state_size"),
            head_dim=mamba_head,
            num_groups=config.whole("n_groups"),
            conv_kernel=config.whole("conv_kernel", 4),
            chunk_size=config.whole("chunk_size", 128),
        ),
    )


def to_hf(model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
    """What transformers' `NemotronHConfig` reads.

    Raises:
        RecipeError: the model has no Mamba section or no pattern.
    """
    mamba = model.mamba
    if mamba is None or model.hybrid_pattern is None:
        raise RecipeError("family nemotron_h needs `mamba` and `hybrid_pattern`", place="model", remedy="set both keys")
    return {
        "hybrid_override_pattern": model.hybrid_pattern,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.ffn_hidden_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_attention_heads,
        "num_key_value_heads": model.num_query_groups or model.num_attention_heads,
        "head_dim": head_dim(model),
        "attention_head_dim": head_dim(model),
        "mlp_hidden_act": "relu2",
        "mamba_hidden_act": "silu",
        "mamba_num_heads": mamba.inner_size // mamba.head_dim,
        "mamba_head_dim": mamba.head_dim,
        "ssm_state_size": mamba.state_dim,
        "n_groups": mamba.num_groups,
        "conv_kernel": mamba.conv_kernel,
        "chunk_size": mamba.chunk_size,
        "expand": mamba.inner_size // model.hidden_size,
        "time_step_min": 1e-9,  # transformers clamps the step to it without fused kernels, and takes its logarithm
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


def _pattern(config: HfConfig) -> str:
    """`hybrid_override_pattern`, or the list that transformers 5 writes instead."""
    pattern = config.values.get("hybrid_override_pattern")
    if pattern is None:
        types = config.values.get("layers_block_type") or config.values.get("layer_types") or []
        pattern = "".join(_LETTERS.get(kind, "?") for kind in types)
    if not pattern or set(pattern) - set("M*-"):
        raise config.wrong("hybrid_override_pattern", pattern, "a string of M (Mamba-2), * (attention), - (MLP)")
    return str(pattern)
