"""NeMo's form of a checkpoint: the same tensors under NeMo's keys. That NeMo reads them: tests/nemo/environment."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from prism.errors import BadInput, UsageError
from prism.formats.safe_metadata import StoredTensor, read_metadata
from prism.models.inspect import differences
from prism.models.nemo_checkpoint import megatron_to_nemo, nemo_to_megatron

pytestmark = pytest.mark.xdist_group("seven")
KNOWN = ("llama_3_1_8b", "mistral_7b", "mistral_small_24b", "nemotron_h_8b")


@pytest.mark.parametrize("name", KNOWN)
def test_there_and_back_is_bit_for_bit(name: str, seven: Path, tmp_path: Path) -> None:
    megatron_to_nemo(seven / f"{name}.megatron", tmp_path / "nemo")
    nemo_to_megatron(tmp_path / "nemo", tmp_path / "back")
    count, found = differences(seven / f"{name}.megatron", tmp_path / "back")
    assert count > 10 and found == []
    assert (tmp_path / "back/step_00000000/hf/config.json").read_bytes() == (seven / name / "config.json").read_bytes()


def test_keys_are_those_of_nemo(seven: Path, tmp_path: Path) -> None:
    for name, expected in (
        ("llama_3_1_8b", ["decoder.layers.self_attention.linear_qkv.layer_norm_weight", "output_layer.weight"]),
        (
            "nemotron_h_8b",
            ["decoder.layers.0.mixer.in_proj.layer_norm_weight", "decoder.layers.0.mixer.in_proj.weight.z"],
        ),
    ):
        megatron_to_nemo(seven / f"{name}.megatron", tmp_path / name)
        described = read_metadata(tmp_path / name / "weights").state_dict_metadata
        tensors = {key for key, value in described.items() if isinstance(value, StoredTensor)}
        assert {f"module.{key}" for key in expected} <= tensors
        assert all(key.startswith("module.") for key in described)


def test_metadata_of_megatron_core_0_15_is_read(seven: Path, tmp_path: Path) -> None:
    """It is a class of its own there, as in every checkpoint that NeMo writes."""
    from megatron.core.dist_checkpointing.strategies.torch import MCoreMetadata

    megatron_to_nemo(seven / "mistral_7b.megatron", tmp_path / "nemo")
    file = tmp_path / "nemo" / "weights" / ".metadata"
    theirs = MCoreMetadata()
    vars(theirs).update(vars(pickle.loads(file.read_bytes())), mcore_data={})
    file.write_bytes(pickle.dumps(theirs))
    nemo_to_megatron(tmp_path / "nemo", tmp_path / "back")
    assert differences(seven / "mistral_7b.megatron", tmp_path / "back")[1] == []


def test_what_is_no_nemo_checkpoint_is_said(seven: Path, tmp_path: Path) -> None:
    hf = seven / "llama_3_1_8b"
    with pytest.raises(BadInput, match="no NeMo 2 checkpoint"):
        nemo_to_megatron(hf, tmp_path / "out", hf)
    megatron_to_nemo(seven / "llama_3_1_8b.megatron", tmp_path / "nemo")
    with pytest.raises(BadInput, match="missing"):
        nemo_to_megatron(tmp_path / "nemo", tmp_path / "out", seven / "nemotron_h_8b")
    with pytest.raises(UsageError, match="exists"):
        megatron_to_nemo(seven / "llama_3_1_8b.megatron", tmp_path / "nemo")
