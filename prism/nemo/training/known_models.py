"""Which recipe and which configuration of NeMo 2.7.3 belong to a model, and what is set in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prism.errors import RecipeError
from prism.nemo.training.values import Named, Setting

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

OWN_ENGINE = "use this package's own engine: --set midtrain.engine=prism"
_CONFIG = "model.config"
_SHAPE = {
    "num_layers": "num_layers",
    "hidden_size": "hidden_size",
    "num_attention_heads": "num_attention_heads",
    "ffn_hidden_size": "ffn_hidden_size",
    "norm_epsilon": "layernorm_epsilon",
    "tie_embeddings": "share_embeddings_and_output_weights",
}
_ROPE_SCALING = {
    "factor": "scale_factor",
    "low_frequency_factor": "low_freq_factor",
    "high_frequency_factor": "high_freq_factor",
    "original_context": "old_context_len",
}
_MAMBA = {"state_dim": "mamba_state_dim", "head_dim": "mamba_head_dim", "num_groups": "mamba_num_groups"}


@dataclass(frozen=True)
class NemoModel:
    """A recipe of NeMo's, and what its model may differ in from ours without an error.

    Args:
        recipe: module of `nemo.collections.llm.recipes`.
        activation: of its MLPs, which its configuration class settles.
    """

    recipe: str
    activation: str


def nemo_model(model: ModelConfig) -> NemoModel:
    """The recipe whose configuration class can be this model; its sizes are set one by one, whatever they are there.

    Raises:
        RecipeError: NeMo has no such model.
    """
    if model.family not in ("llama", "mistral", "nemotron_h"):
        raise RecipeError(
            f"NeMo has no {model.family}: its models have none of Granite's multipliers",
            place="model.family",
            remedy=OWN_ENGINE,
        )
    hybrid = model.family == "nemotron_h"
    if hybrid != (model.hybrid_pattern is not None):
        raise RecipeError(
            f"NeMo's {model.family} is {'a hybrid' if hybrid else 'dense'}",
            place="model.hybrid_pattern",
            remedy=OWN_ENGINE,
        )
    if hybrid:
        return NemoModel("nemotronh_8b", "squared_relu")
    if model.family == "mistral":
        return NemoModel("mistral_7b" if model.sliding_window else "mistral_small3_24b", "swiglu")
    return NemoModel("llama31_8b" if model.rope_scaling else "llama3_8b", "swiglu")


def model_settings(model: ModelConfig, vocabulary_rows: int, sequence_length: int) -> Iterator[Setting]:
    """Every size of the model. The window's own position counts here, and doesn't in NeMo."""
    for ours, theirs in _SHAPE.items():
        yield _setting(theirs, getattr(model, ours), f"model.{ours}")
    heads = model.num_attention_heads
    yield _setting("num_query_groups", model.num_query_groups or heads, "model.num_query_groups")
    yield _setting("kv_channels", model.head_dim or model.hidden_size // heads, "model.head_dim")
    yield _setting("seq_length", sequence_length, "midtrain.sequence_length")
    yield _setting("make_vocab_size_divisible_by", 8, "model.vocab_size")
    yield _setting("vocab_size", vocabulary_rows, "model.vocab_size")
    if model.hybrid_pattern is not None:
        yield from _hybrid(model)
    else:
        yield from _dense(model)


def _dense(model: ModelConfig) -> Iterator[Setting]:
    yield _setting("rotary_base", model.rope_base, "model.rope_base")
    window = [model.sliding_window - 1, 0] if model.sliding_window else None
    yield _setting("window_size", window, "model.sliding_window")
    if model.rope_scaling is not None:
        for ours, theirs in _ROPE_SCALING.items():
            yield _setting(theirs, getattr(model.rope_scaling, ours), f"model.rope_scaling.{ours}")


def _hybrid(model: ModelConfig) -> Iterator[Setting]:
    assert model.mamba is not None  # the recipe's checks see to it
    yield _setting("hybrid_override_pattern", model.hybrid_pattern, "model.hybrid_pattern")
    for ours, theirs in _MAMBA.items():
        yield _setting(theirs, getattr(model.mamba, ours), f"model.mamba.{ours}")
    heads = model.mamba.inner_size // model.mamba.head_dim
    yield _setting("mamba_num_heads", heads, "model.mamba.inner_size")
    position = "none" if model.rope_base is None else "rope"
    yield _setting("position_embedding_type", position, "model.rope_base")
    # NeMo's is a lambda, which doesn't serialise.
    yield _setting("activation_func", Named("megatron.core.activations.squared_relu"), "model.activation")


def _setting(path: str, value: Any, *keys: str) -> Setting:
    return Setting(f"{_CONFIG}.{path}", value, keys)
