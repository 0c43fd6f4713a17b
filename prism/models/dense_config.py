"""What the config.json of dense decoders (LLaMA, Mistral, Granite) has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prism.models.hf_config import HfConfig, rope_values

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


def read_dense(config: HfConfig) -> dict[str, Any]:
    """Keys of `ModelConfig`; refuses biases and other activations."""
    config.only(hidden_act="silu", attention_bias=False, mlp_bias=False, pretraining_tp=1)
    base, scaling = config.rope()
    return {
        "num_layers": config.whole("num_hidden_layers"),
        "hidden_size": config.whole("hidden_size"),
        "num_attention_heads": config.whole("num_attention_heads"),
        "num_query_groups": config.whole("num_key_value_heads", config.whole("num_attention_heads")),
        "head_dim": config.head_dim(),
        "ffn_hidden_size": config.whole("intermediate_size"),
        "norm_epsilon": config.number("rms_norm_eps"),
        "rope_base": base,
        "rope_scaling": scaling,
        "max_position_embeddings": config.whole("max_position_embeddings"),
        "tie_embeddings": config.flag("tie_word_embeddings", False),
        "vocab_size": config.whole("vocab_size"),
    }


def read_multipliers(config: HfConfig) -> dict[str, Any]:
    """Granite's four multipliers."""
    return {
        "embedding_multiplier": config.number("embedding_multiplier", 1.0),
        "residual_multiplier": config.number("residual_multiplier", 1.0),
        "attention_multiplier": config.number("attention_multiplier", 1.0),
        "logits_scaling": config.number("logits_scaling", 1.0),
    }


def dense_values(model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
    """The same keys the other way, for a model that this project trained."""
    return {
        "hidden_act": "silu",
        "hidden_size": model.hidden_size,
        "intermediate_size": model.ffn_hidden_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_attention_heads,
        "num_key_value_heads": model.num_query_groups or model.num_attention_heads,
        "head_dim": head_dim(model),
        "rms_norm_eps": model.norm_epsilon,
        **rope_values(float(model.rope_base or 10_000), model.rope_scaling),
        "max_position_embeddings": model.max_position_embeddings,
        "tie_word_embeddings": model.tie_embeddings,
        "attention_bias": False,
        "mlp_bias": False,
        "vocab_size": vocab_size,
        "bos_token_id": None,
        "eos_token_id": end_of_document_id,
    }


def multiplier_values(model: ModelConfig) -> dict[str, Any]:
    return {
        "embedding_multiplier": model.embedding_multiplier,
        "residual_multiplier": model.residual_multiplier,
        "attention_multiplier": model.attention_multiplier or head_dim(model) ** -0.5,
        "logits_scaling": model.logits_scaling,
    }


def head_dim(model: ModelConfig) -> int:
    return model.head_dim or model.hidden_size // model.num_attention_heads
