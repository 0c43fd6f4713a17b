"""A stage that NeMo trained over gloo at TP 2 (plumbing), and checkpoints between NeMo and this project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from prism.errors import BadInput
from prism.models.convert import find_checkpoint
from prism.models.inspect import differences
from prism.models.nemo_checkpoint import megatron_to_nemo, nemo_to_megatron
from prism.nemo.training.run import newest_checkpoint, run_nemo_training
from prism.recipe import load_recipe

ROOT = Path(__file__).parents[3]


def logits_here(hf: Path, tokens: Path) -> torch.Tensor:
    """transformers' logits of an export, in a process of its own."""
    code = (
        "import sys, torch, transformers; from safetensors.torch import load_file, save_file\n"
        "model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()\n"
        "with torch.inference_mode(): found = model(load_file(sys.argv[2])['tokens'], use_cache=False).logits\n"
        "save_file({'logits': found.contiguous()}, sys.argv[3])\n"
    )
    out = tokens.with_name(f"{hf.parent.name}.transformers")
    subprocess.run([sys.executable, "-c", code, hf, tokens, out], cwd=ROOT, check=True, capture_output=True)
    return load_file(out)["logits"]


def test_the_stage_leaves_what_every_stage_leaves(trained: Path) -> None:
    stage = trained / "stages" / "mid"
    rows = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert all(row["grad_norm"] > 0 for row in rows)
    assert find_checkpoint(stage / "checkpoints").name == "step_00000007"
    assert (stage / "hf" / "config.json").is_file() and (stage / "hf" / "tokenizer.json").is_file()
    assert "PreTrainingDataModule" in (stage / "nemo" / "recipe.yaml").read_text()
    assert json.loads((trained / "logs" / "mid.result.json").read_text())["exit_code"] == 0


def test_nemo_reads_the_locked_blend(trained: Path) -> None:
    """NeMo writes its index of the blend from our weights and files."""
    described = [json.loads(file.read_text()) for file in (trained / "stages/mid/nemo/index").rglob("*description.txt")]
    blends = [found for found in described if found.get("class") == "BlendedDataset"]
    assert blends and all(found["weights"] == [0.75, 0.25] for found in blends if found["split"] == "train")


def test_nemo_starts_from_our_weights(trained: Path, there: Callable[..., str]) -> None:
    tokens, out = trained.parent / "tokens", trained.parent / "start.logits"
    there("logits", trained, "mid", trained / "stages/mid/nemo/start", tokens, out)
    found, expected = load_file(out)["logits"], logits_here(trained / "stages/base/hf", tokens)
    torch.testing.assert_close(found[..., : expected.shape[-1]], expected, atol=2e-4, rtol=1e-4)


def test_our_reading_of_nemos_checkpoint_says_what_nemo_says(trained: Path, there: Callable[..., str]) -> None:
    tokens, out = trained.parent / "tokens", trained.parent / "end.logits"
    there("logits", trained, "mid", newest_checkpoint(trained / "stages/mid/nemo/log/checkpoints"), tokens, out)
    found, expected = load_file(out)["logits"], logits_here(trained / "stages/mid/hf", tokens)
    torch.testing.assert_close(found[..., : expected.shape[-1]], expected, atol=2e-4, rtol=1e-4)
    assert not torch.allclose(expected, logits_here(trained / "stages/base/hf", tokens), atol=1e-2)


def test_the_commands_convert_both_ways(trained: Path, tmp_path: Path) -> None:
    config = trained / "stages/mid/hf"
    nemos = newest_checkpoint(trained / "stages/mid/nemo/log/checkpoints")
    nemo_to_megatron(nemos, tmp_path / "ours", config)
    megatron_to_nemo(tmp_path / "ours", tmp_path / "nemos")
    nemo_to_megatron(tmp_path / "nemos", tmp_path / "again")
    count, found = differences(tmp_path / "ours", tmp_path / "again")
    assert count > 20 and found == []
    assert differences(tmp_path / "ours", trained / "stages/mid/checkpoints")[1] == []
    with pytest.raises(BadInput, match="no NeMo 2 checkpoint"):
        nemo_to_megatron(config, tmp_path / "none", config)


def test_a_run_that_is_through_is_only_finished_and_needs_no_nemo(trained: Path) -> None:
    """As after a job that ended between NeMo's last step and the export."""
    stage = trained / "stages/mid"
    before = (stage / "metrics.jsonl").read_text()
    (stage / "hf" / "config.json").unlink()
    run_nemo_training(load_recipe(trained / "recipe.yaml"), "mid")
    assert (stage / "hf" / "config.json").is_file()
    assert (stage / "metrics.jsonl").read_text() == before


def test_the_node_imports_little_in_nemos_environment() -> None:
    code = "import sys, prism.pipeline.node, prism.nemo.training.run; print(*sys.modules)"
    done = subprocess.run(
        [os.environ["PRISM_TEST_NEMO"], "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"torch", "megatron", "datatrove", "nemo"}.isdisjoint(done.stdout.split())


def test_a_stage_goes_on_from_its_newest_checkpoint(trained: Path, there: Callable[..., str]) -> None:
    """The last step again, as after a job that ended before it was saved."""
    stage = trained / "stages/mid"
    folder = stage / "nemo/log/checkpoints"
    before = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    shutil.rmtree(folder / "step=6-last")
    (folder / "step=5-last").symlink_to("step=5")
    there("node", trained, "mid", ranks=2)
    rows = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    assert rows[:6] == before[:6] and rows[6]["step"] == 7
    assert rows[6]["learning_rate"] == pytest.approx(before[6]["learning_rate"], rel=1e-6)
    assert rows[6]["loss"] == pytest.approx(before[6]["loss"], rel=1e-6)
