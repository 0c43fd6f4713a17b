"""Conversion both ways: bit-identical, resumable, refused by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prism.errors import BadInput, UsageError
from prism.formats.hf_folder import INDEX, HfFolder
from prism.formats.torch_dist import TorchDist
from prism.models import convert as convert_module
from prism.models.convert import hf_to_megatron, megatron_to_hf
from prism.models.family import family_of, identify
from prism.models.inspect import describe, differences
from tests.models.tiny import TINY, VOCABULARY
from tests.models.tiny_io import ROOT, run_apart

DATA = re.compile(r"__0_\d+\.distcp$|\.safetensors$")
pytestmark = pytest.mark.xdist_group("seven")


def as_bf16(source: Path, target: Path) -> Path:
    """The same checkpoint in bfloat16, in several shards, with files that travel along."""
    target.mkdir()
    config = {**json.loads((source / "config.json").read_text()), "torch_dtype": "bfloat16"}
    (target / "config.json").write_text(json.dumps(config))
    (target / "generation_config.json").write_text('{"eos_token_id": 2}')
    (target / "tokenizer_config.json").write_text('{"model_max_length": 80}')
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(source / "model.safetensors").items()}
    names, weight_map = sorted(tensors), {}
    for number in range(3):
        shard = f"model-{number + 1:05d}-of-00003.safetensors"
        save_file({name: tensors[name] for name in names[number::3]}, target / shard, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(names[number::3], shard)
    (target / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return target


@pytest.mark.parametrize("name", TINY)
def test_a_bf16_checkpoint_comes_back_bit_for_bit(name: str, seven: Path, tmp_path: Path) -> None:
    source = as_bf16(seven / name, tmp_path / "source")
    hf_to_megatron(source, tmp_path / "megatron")
    megatron_to_hf(tmp_path / "megatron", tmp_path / "back", shard_bytes=60_000)
    assert differences(source, tmp_path / "back")[1] == []
    assert len(list((tmp_path / "back").glob("*.safetensors"))) > 1
    for file in ("config.json", "generation_config.json", "tokenizer_config.json"):
        assert (tmp_path / "back" / file).read_bytes() == (source / file).read_bytes()
    assert not list(tmp_path.rglob("*.tmp"))


def test_transformers_reads_what_comes_back(seven: Path, tmp_path: Path) -> None:
    """For all seven: `AutoModelForCausalLM.from_pretrained` finds every weight and says the same."""
    shutil.copy(seven / "tokens", tmp_path / "tokens")
    for name in TINY:
        megatron_to_hf(seven / f"{name}.megatron", tmp_path / name)
    run_apart("tests.models.reference", tmp_path, "observe")
    for name in TINY:
        again, before = load_file(tmp_path / f"{name}.reference"), load_file(seven / f"{name}.reference")
        assert torch.equal(again["logits"], before["logits"]), name


@pytest.mark.parametrize("name", TINY)
def test_the_configuration_that_we_write_is_read_as_the_same_model(name: str, seven: Path, tmp_path: Path) -> None:
    model = identify(seven / name)
    (tmp_path / "config.json").write_text(json.dumps(family_of(model).hf_config(model, VOCABULARY, 2)))
    assert identify(tmp_path) == model


@pytest.mark.parametrize("name", ["llama_3_1_8b", "granite_4_h_micro", "nemotron_h_8b"])
def test_megatron_lm_checkpoints_go_out_and_come_in(name: str, seven: Path, tmp_path: Path) -> None:
    hf_to_megatron(seven / name, tmp_path / "megatron_lm", megatron_lm=True)
    keys = TorchDist(tmp_path / "megatron_lm" / "iter_0000000")._metadata.state_dict_metadata
    assert any(key.endswith("mlp.linear_fc1.layer_norm_weight") for key in keys)
    with pytest.raises(UsageError, match="--config"):
        megatron_to_hf(tmp_path / "megatron_lm", tmp_path / "back")
    megatron_to_hf(tmp_path / "megatron_lm", tmp_path / "back", config=seven / name)
    assert differences(seven / name, tmp_path / "back")[1] == []


@pytest.mark.parametrize("way", ["hf-to-megatron", "megatron-to-hf"])
def test_a_killed_conversion_goes_on_and_ends_alike(
    way: str, seven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed when its second file begins; the next call keeps the first."""
    source = seven / ("llama_3_1_8b" if way == "hf-to-megatron" else "llama_3_1_8b.megatron")
    script = f"""
import os, signal, itertools
from pathlib import Path
from prism.formats import hf_folder, torch_dist_writer
from prism.models import convert
torch_dist_writer._BYTES_PER_FILE = 60_000
count = itertools.count()
def dying(module, name):
    write = getattr(module, name)
    def wrapped(*arguments):
        if next(count) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*arguments)
    setattr(module, name, wrapped)
dying(hf_folder, "_write_shard")
dying(torch_dist_writer, "_write_group")
source, target = Path({str(source)!r}), Path({str(tmp_path / "killed")!r})
if {way!r} == "hf-to-megatron":
    convert.hf_to_megatron(source, target, workers=1)
else:
    convert.megatron_to_hf(source, target, shard_bytes=60_000, workers=1)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if DATA.search(file.name)}
    assert len(left) == 2
    assert all(any(part.startswith(".") for part in file.parts) for file in left)  # nothing has its name yet
    if way == "hf-to-megatron":
        monkeypatch.setattr("prism.formats.torch_dist_writer._BYTES_PER_FILE", 60_000)
        done = hf_to_megatron(source, tmp_path / "killed")
        assert differences(done.path, seven / "llama_3_1_8b.megatron")[1] == []
    else:
        done = megatron_to_hf(source, tmp_path / "killed", shard_bytes=60_000)
        assert differences(done.path, seven / "llama_3_1_8b")[1] == []
    kept = {file.name: file.stat().st_mtime_ns for file in done.path.iterdir()}
    assert all(kept[file.name] == written for file, written in left.items())


def edited(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    return edit


def cut_short(folder: Path) -> None:
    file = next(folder.glob("*00002*.safetensors"))
    with file.open("r+b") as handle:
        handle.truncate(file.stat().st_size - 100)


def without_a_shard(folder: Path) -> None:
    next(folder.glob("*00002*.safetensors")).unlink()


def with_a_foreign_tokenizer(folder: Path) -> None:
    vocabulary = {f"token{number}": number for number in range(VOCABULARY + 5)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))


def with_a_tensor_too_many(folder: Path) -> None:
    save_file({"model.layers.0.self_attn.q_norm.weight": torch.ones(4)}, folder / "more.safetensors")
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.layers.0.self_attn.q_norm.weight"] = "more.safetensors"
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_short, "not a whole safetensors file"),
        (without_a_shard, "shard model-00002-of-00003.safetensors is missing"),
        (with_a_foreign_tokenizer, "the tokenizer's highest id is 104, the model has 100 tokens"),
        (with_a_tensor_too_many, "left over: model.layers.0.self_attn.q_norm.weight"),
        (edited(num_hidden_layers=5), "missing: model.layers.4.input_layernorm.weight"),
        (edited(intermediate_size=100), "mlp.gate_proj.weight is 96x64, not 100x64"),
        (edited(hidden_act="gelu"), "hidden_act is 'gelu', supported is 'silu'"),
        (edited(model_type="gpt_neox"), "model_type is 'gpt_neox'; known are llama, mistral"),
        (edited(model_type="lama"), "did you mean llama?"),
        (edited(num_attention_heads="four"), "num_attention_heads is 'four', supported is a positive whole number"),
    ],
)
def test_bad_input_is_refused_by_name_and_leaves_nothing(
    spoil: Callable[[Path], None], message: str, seven: Path, tmp_path: Path
) -> None:
    source = as_bf16(seven / "llama_3_1_8b", tmp_path / "source")
    spoil(source)
    with pytest.raises(BadInput, match="Remedy") as caught:
        hf_to_megatron(source, tmp_path / "target")
    assert message in str(caught.value)
    assert not (tmp_path / "target").exists()


def test_a_damaged_megatron_checkpoint_is_refused_and_leaves_nothing(seven: Path, tmp_path: Path) -> None:
    shutil.copytree(seven / "llama_3_1_8b.megatron", tmp_path / "source")
    file = max((tmp_path / "source").rglob("*.distcp"), key=lambda path: path.stat().st_size)
    os.truncate(file, 1_000)
    with pytest.raises(BadInput, match="has 1000 bytes, not"):
        megatron_to_hf(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_byte_that_turned_over_is_seen_before_anything_is_written(seven: Path, tmp_path: Path) -> None:
    shutil.copytree(seven / "llama_3_1_8b.megatron", tmp_path / "source")
    file = max((tmp_path / "source").rglob("*.distcp"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadInput, match=f"{file.name} has another checksum"):
        megatron_to_hf(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_full_disk_is_seen_before_anything_is_written(
    seven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(convert_module.shutil, "disk_usage", lambda path: usage._replace(free=1_000))
    with pytest.raises(Exception, match="are free") as caught:
        hf_to_megatron(seven / "llama_3_1_8b", tmp_path / "target")
    assert caught.value.exit_code == 5  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_ends_with_the_error_s_exit_code_in_one_line(seven: Path, tmp_path: Path) -> None:
    source = as_bf16(seven / "llama_3_1_8b", tmp_path / "source")
    without_a_shard(source)
    command = ["-m", "prism.cli", "convert", "hf-to-megatron", "--from", source, "--to", tmp_path / "to"]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1 and "is missing. Remedy: fetch it" in done.stderr


def test_inspect_says_what_is_in_a_checkpoint(seven: Path) -> None:
    for path in (seven / "granite_4_h_micro", seven / "granite_4_h_micro.megatron"):
        text = "\n".join(describe(path, tensors=True))
        assert "granite_moe_hybrid, 8 layers of 64, pattern M-*-M-M-" in text
        assert "mamba.A_log" in text or "mixer.A_log" in text


def test_only_what_is_asked_for_is_read(seven: Path) -> None:
    whole = TorchDist(seven / "nemotron_h_8b.saved") if (seven / "nemotron_h_8b.saved").is_dir() else None
    checkpoint = whole or TorchDist(next((seven / "nemotron_h_8b.megatron").glob("step_*")))
    name = "decoder.layers.0.mixer.in_proj.weight"
    assert torch.equal(checkpoint.read(name, 100, 300), checkpoint.read(name)[100:300])
    assert HfFolder(seven / "nemotron_h_8b").shape("backbone.layers.0.mixer.in_proj.weight") == checkpoint.shape(name)
