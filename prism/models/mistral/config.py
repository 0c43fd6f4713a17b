"""Mistral's config.json."""

from __future__ import annotations

from typing import Any

from prism.models.dense_config import dense_values, read_dense
from prism.models.hf_config import HfConfig
from prism.recipe import ModelConfig

ARCHITECTURE = "MistralForCausalLM"
MODEL_TYPE = "mistral"


def from_hf(config: HfConfig) -> ModelConfig:
    """Raises BadInput on a key that this family doesn't support."""
    return ModelConfig(
        family="mistral",
        sliding_window=config.whole("sliding_window") if "sliding_window" in config else None,
        **read_dense(config),
    )


def to_hf(model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
    """What transformers' `MistralConfig` reads."""
    return {**dense_values(model, vocab_size, end_of_document_id), "sliding_window": model.sliding_window}
