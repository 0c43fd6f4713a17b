"""Granite's config.json."""

from __future__ import annotations

from typing import Any

from prism.models.dense_config import dense_values, multiplier_values, read_dense, read_multipliers
from prism.models.hf_config import HfConfig
from prism.recipe import ModelConfig

ARCHITECTURE = "GraniteForCausalLM"
MODEL_TYPE = "granite"


def from_hf(config: HfConfig) -> ModelConfig:
    """Raises BadInput on a key that this family doesn't support."""
    return ModelConfig(
        family="granite",
        **read_dense(config),
        **read_multipliers(config),
    )


def to_hf(model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
    """What transformers' `GraniteConfig` reads. It has no head_dim: heads are hidden_size / heads wide."""
    values = {**dense_values(model, vocab_size, end_of_document_id), **multiplier_values(model)}
    del values["head_dim"]
    return values
