"""Layers in fp8 are Transformer Engine's or an error; layouts that the engine can't build are one too."""

from __future__ import annotations

import pytest

from prism.errors import RecipeError
from prism.megatron.build import build_model
from prism.megatron.config import transformer_config
from prism.megatron.parallel import Layout
from prism.recipe import ModelConfig, load_recipe


def test_fp8_without_transformer_engine_is_an_error_with_a_remedy(model: ModelConfig, alone: Layout) -> None:
    with pytest.raises(RecipeError, match="fp8 needs Transformer Engine, which can't be used") as caught:
        build_model(model, 99, alone, "fp8")
    assert "bf16" in str(caught.value)


def test_a_hybrid_is_not_interleaved() -> None:
    hybrid = load_recipe("miniature_hybrid").model
    with pytest.raises(RecipeError, match="doesn't interleave hybrid models"):
        transformer_config(hybrid, Layout(pipeline=2, virtual=2), "fp32")
