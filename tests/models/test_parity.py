"""The seven against transformers: logits and gradients, on one rank and on several, cached decoding against full."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from prism.models.convert import hf_to_megatron
from tests.models.tiny import HYBRID, TINY
from tests.models.tiny_io import PROMPTS, run

Observed = Mapping[str, Mapping[str, torch.Tensor]]
pytestmark = pytest.mark.xdist_group("seven")  # one process makes the models, all tests share them


def logit_difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference as a share of the range of the logits."""
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


@pytest.mark.parametrize("layout", ["1", "TP2", "PP2", "TP2xPP2"])
@pytest.mark.parametrize("name", TINY)
def test_logits_equal_transformers(name: str, layout: str, ours: Mapping[str, Observed], reference: Observed) -> None:
    assert logit_difference(ours[layout][name]["logits"], reference[name]["logits"]) <= 1e-5


@pytest.mark.parametrize("name", ["llama_3_1_8b", "granite_3_3_8b", *HYBRID])
def test_gradients_of_every_parameter_equal_transformers(
    name: str, ours: Mapping[str, Observed], reference: Observed
) -> None:
    found = {key: value for key, value in ours["1"][name].items() if key.startswith("gradient.")}
    expected = {
        key.replace("gradient.model.", "gradient.backbone.").replace(".norm_f_", ".")
        if name == "nemotron_h_8b"
        else key: value
        for key, value in reference[name].items()
        if key.startswith("gradient.")
    }
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        assert float((found[key] - gradient).norm() / gradient.norm()) <= 1e-4, key


@pytest.mark.parametrize("layout", ["1", "TP2", "PP2"])
@pytest.mark.parametrize("name", TINY)
def test_cached_decoding_of_unequal_prompts_equals_the_full_forward_pass(
    name: str, layout: str, ours: Mapping[str, Observed]
) -> None:
    found = ours[layout][name]
    for row in range(len(PROMPTS)):
        assert len(found[f"cached.{row}.tokens"]) == 64
        torch.testing.assert_close(found[f"cached.{row}.tokens"], found[f"full.{row}.tokens"], atol=0, rtol=0)
        torch.testing.assert_close(found[f"cached.{row}.logprobs"], found[f"full.{row}.logprobs"], atol=1e-4, rtol=0)


def test_a_checkpoint_saved_by_four_ranks_says_the_same_on_one(
    seven: Path, ours: Mapping[str, Observed], tmp_path: Path
) -> None:
    """`ours` is asked for because its last run saves from TP2 x PP2."""
    for name in TINY:
        (tmp_path / name).symlink_to(seven / name)
        (tmp_path / f"{name}.megatron").symlink_to(seven / f"{name}.saved")
    (tmp_path / "tokens").symlink_to(seven / "tokens")
    run("tests.models.worker", tmp_path, tmp_path / "out", 1, 1)
    from safetensors.torch import load_file

    for name in TINY:
        again = load_file(tmp_path / f"out.{name}")["logits"]
        torch.testing.assert_close(again, ours["1"][name]["logits"], atol=0, rtol=0)


def test_converting_again_is_refused(seven: Path) -> None:
    with pytest.raises(Exception, match="the target exists"):
        hf_to_megatron(seven / "llama_3_1_8b", seven / "llama_3_1_8b.megatron")
