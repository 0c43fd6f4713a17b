"""Granite 4's config.json."""

from __future__ import annotations

from typing import Any

from prism.models.dense_config import dense_values, head_dim, multiplier_values, read_dense, read_multipliers
from prism.models.hf_config import HfConfig
from prism.recipe import MambaConfig, ModelConfig

ARCHITECTURE = "GraniteMoeHybridForCausalLM"
MODEL_TYPE = "granitemoehybrid"
_MAMBA = ("mamba", "linear_attention")  # the second is transformers 5's name
_ATTENTION = ("attention", "full_attention")


def from_hf(config: HfConfig) -> ModelConfig:
    """Raises BadInput on a key that this family doesn't support, experts among them."""
    if config.values.get("num_local_experts", 8) != 0:
        raise config.wrong("num_local_experts", config.values.get("num_local_experts", 8), "0 (no experts)")
    layers = _layer_types(config)
    values = {
        **read_dense(config),
        **read_multipliers(config),
        "ffn_hidden_size": config.whole("shared_intermediate_size"),
    }
    if config.values.get("position_embedding_type") != "rope":
        values |= {"rope_base": None, "rope_scaling": None}
    if "mamba" in layers:
        values |= {
            "num_layers": 2 * len(layers),
            "hybrid_pattern": "".join("M-" if layer == "mamba" else "*-" for layer in layers),
            "mamba": _mamba(config),
        }
    return ModelConfig(family="granite_moe_hybrid", **values)


def to_hf(model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
    """What transformers' `GraniteMoeHybridConfig` reads; layer types by the names that all releases know."""
    values = {**dense_values(model, vocab_size, end_of_document_id), **multiplier_values(model)}
    del values["head_dim"]
    layers = ["attention"] * model.num_layers
    if model.hybrid_pattern is not None:
        layers = ["mamba" if mixer == "M" else "attention" for mixer in model.hybrid_pattern[::2]]
    values |= {
        "num_hidden_layers": len(layers),
        "layer_types": layers,
        "shared_intermediate_size": model.ffn_hidden_size,
        "num_local_experts": 0,
        "num_experts_per_tok": 0,
        "position_embedding_type": "rope" if model.rope_base else "nope",
        "normalization_function": "rmsnorm",
    }
    if model.mamba is not None:
        mamba = model.mamba
        values |= {
            "mamba_n_heads": mamba.inner_size // mamba.head_dim,
            "mamba_d_head": mamba.head_dim,
            "mamba_d_state": mamba.state_dim,
            "mamba_n_groups": mamba.num_groups,
            "mamba_d_conv": mamba.conv_kernel,
            "mamba_expand": mamba.inner_size // model.hidden_size,
            "mamba_chunk_size": mamba.chunk_size,
            "mamba_conv_bias": True,
            "mamba_proj_bias": False,
        }
    else:  # unused, but transformers checks that they fit the hidden size
        values |= {"mamba_n_heads": model.num_attention_heads, "mamba_d_head": 2 * head_dim(model), "mamba_expand": 2}
    return values


def _layer_types(config: HfConfig) -> list[str]:
    """ "mamba" or "attention" for each layer."""
    found = config.values.get("layer_types") or config.values.get("layers_block_type")
    if not isinstance(found, list) or len(found) != config.whole("num_hidden_layers"):
        raise config.wrong("layer_types", found, "a list with one type a layer")
    types = []
    for layer in found:
        if layer not in (*_MAMBA, *_ATTENTION):
            raise config.wrong("layer_types", layer, "mamba or attention")
        types.append("mamba" if layer in _MAMBA else "attention")
    return types


def _mamba(config: HfConfig) -> MambaConfig:
    config.only(mamba_conv_bias=True, mamba_proj_bias=False)
    heads, width = config.whole("mamba_n_heads"), config.values.get("mamba_d_head", "auto")
    inner = config.whole("mamba_expand", 2) * config.whole("hidden_size")
    head = inner // heads if width == "auto" else config.whole("mamba_d_head")
    return MambaConfig(
        inner_size=heads * head,
        state_dim=config.whole("mamba_d_state"),
        head_dim=head,
        num_groups=config.whole("mamba_n_groups", 1),
        conv_kernel=config.whole("mamba_d_conv", 4),
        chunk_size=config.whole("mamba_chunk_size", 256),
    )
