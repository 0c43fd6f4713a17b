"""Tiny models with every feature of the seven, as config.json has them; weights are random."""

from __future__ import annotations

from typing import Any

VOCABULARY = 100  # no multiple of 8: Megatron pads it
CONTEXT = 80  # the longest prompt and 64 tokens

_DENSE: dict[str, Any] = {
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "max_position_embeddings": CONTEXT,
    "attention_bias": False,
    "tie_word_embeddings": False,
    "vocab_size": VOCABULARY,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}
_GRANITE: dict[str, Any] = {
    "tie_word_embeddings": True,
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "logits_scaling": 8.0,
}
_GRANITE_4: dict[str, Any] = {
    **_DENSE,
    **_GRANITE,
    "architectures": ["GraniteMoeHybridForCausalLM"],
    "model_type": "granitemoehybrid",
    "attention_multiplier": 0.0625,
    "shared_intermediate_size": 96,
    "num_local_experts": 0,
    "num_experts_per_tok": 0,
    "normalization_function": "rmsnorm",
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_d_state": 16,
    "mamba_n_groups": 1,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_chunk_size": 16,
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
}

TINY: dict[str, dict[str, Any]] = {
    "llama_3_1_8b": {
        **_DENSE,
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "mlp_bias": False,
        "rope_theta": 500.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    },
    "mistral_7b": {
        **_DENSE,
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "sliding_window": 9,
    },
    "mistral_small_24b": {
        **_DENSE,
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "hidden_size": 80,
        "head_dim": 16,
        "rope_theta": 100000000.0,
        "sliding_window": None,
    },
    "granite_3_3_8b": {
        **_DENSE,
        **_GRANITE,
        "architectures": ["GraniteForCausalLM"],
        "model_type": "granite",
        "mlp_bias": False,
        "attention_multiplier": 0.0625,
        "rope_theta": 10000000.0,
    },
    "granite_4_micro": {
        **_GRANITE_4,
        "layer_types": ["attention"] * 4,
        "position_embedding_type": "rope",
        "rope_theta": 10000000.0,
    },
    "granite_4_h_micro": {
        **_GRANITE_4,
        "layer_types": ["mamba", "attention", "mamba", "mamba"],
        "position_embedding_type": "nope",
    },
    "nemotron_h_8b": {
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "nemotron_h",
        "hybrid_override_pattern": "M-M*M-M-",
        "num_hidden_layers": 8,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "attention_head_dim": 16,
        "head_dim": 16,
        "mlp_hidden_act": "relu2",
        "mlp_bias": False,
        "attention_bias": False,
        "use_bias": False,
        "use_conv_bias": True,
        "mamba_hidden_act": "silu",
        "mamba_num_heads": 8,
        "mamba_head_dim": 16,
        "mamba_proj_bias": False,
        "ssm_state_size": 16,
        "n_groups": 2,
        "conv_kernel": 4,
        "chunk_size": 16,
        "expand": 2,
        # transformers clamps dt to time_step_min where the published code takes time_step_limit; this lifts that.
        "time_step_min": 1e-9,
        "time_step_limit": [0.0, float("inf")],
        "layer_norm_epsilon": 1e-5,
        "max_position_embeddings": CONTEXT,
        "residual_in_fp32": False,
        "tie_word_embeddings": False,
        "vocab_size": VOCABULARY,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "torch_dtype": "float32",
    },
}
DENSE = [name for name in TINY if name not in ("granite_4_h_micro", "nemotron_h_8b")]
HYBRID = ["granite_4_h_micro", "nemotron_h_8b"]
