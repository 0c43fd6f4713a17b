"""What sets the seven apart, proven where it matters: windows, stretched RoPE, multipliers, packed documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from megatron.core.packed_seq_params import PackedSeqParams
from safetensors.torch import load_file

from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.forward import all_logits
from prism.megatron.packing import packed_documents
from prism.megatron.parallel import Layout, process_groups
from prism.models.family import identify
from prism.recipe import ModelConfig
from tests.models.tiny import TINY, VOCABULARY

Observed = Mapping[str, Mapping[str, torch.Tensor]]
pytestmark = pytest.mark.xdist_group("seven")


def logits(
    seven: Path, name: str, model: ModelConfig, tokens: torch.Tensor, packed: PackedSeqParams | None = None
) -> torch.Tensor:
    """Of `name`'s weights under `model`, which may differ from what config.json says."""
    with process_groups(Layout(), seed=1), torch.no_grad():
        module = build_model(model, VOCABULARY, Layout(), "fp32").eval()
        checkpoint.load(checkpoint.require_latest(seven / f"{name}.megatron"), module)
        return all_logits(module, tokens, packed)[..., :VOCABULARY]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mistral_7b", {"sliding_window": 8}),
        ("mistral_7b", {"sliding_window": 10}),
        ("mistral_7b", {"sliding_window": None}),
        ("llama_3_1_8b", {"rope_scaling": None}),
        ("llama_3_1_8b", {"rope_scaling": {"factor": 8, "original_context": 32}}),
        ("llama_3_1_8b", {"rope_scaling": {"low_frequency_factor": 2, "original_context": 16}}),
        ("mistral_small_24b", {"rope_base": 10_000}),
        ("granite_3_3_8b", {"embedding_multiplier": 1}),
        ("granite_3_3_8b", {"residual_multiplier": 1}),
        ("granite_3_3_8b", {"attention_multiplier": None}),
        ("granite_3_3_8b", {"logits_scaling": 1}),
        ("granite_4_h_micro", {"residual_multiplier": 1}),
        ("granite_4_h_micro", {"rope_base": 10_000}),
        ("nemotron_h_8b", {"rope_base": 10_000}),
    ],
)
def test_a_feature_that_is_off_by_one_or_left_out_shows(
    name: str, changes: dict[str, object], seven: Path, reference: Observed
) -> None:
    model = identify(seven / name)
    tokens, expected = load_file(seven / "tokens")["tokens"], reference[name]["logits"]
    spread = expected.max() - expected.min()
    wrong = logits(seven, name, ModelConfig.model_validate({**model.model_dump(), **changes}), tokens)
    assert (wrong - expected).abs().max() / spread > 1e-3
    right = logits(seven, name, model, tokens)
    assert (right - expected).abs().max() / spread <= 1e-5


@pytest.mark.parametrize("name", TINY)
def test_packed_documents_are_as_if_alone(name: str, seven: Path) -> None:
    model = identify(seven / name)
    row, ends = load_file(seven / "tokens")["tokens"][:1], [19, 20, 41, 48]
    together = logits(seven, name, model, row, packed_documents(ends, row.device))
    leaking = logits(seven, name, model, row)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        alone = logits(seven, name, model, row[:, start:end])
        spread = alone.max() - alone.min()
        assert (together[:, start:end] - alone).abs().max() / spread <= 1e-5
        if start:
            assert (leaking[:, start:end] - alone).abs().max() / spread > 1e-3
