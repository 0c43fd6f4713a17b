"""Exports against transformers' own models."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.forward import token_logprobs
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout, process_groups
from prism.models.export import export_weights
from prism.recipe import ModelConfig, load_recipe

pytest.importorskip("transformers", reason="the dev extra brings transformers")

# A process of its own: where CUDA calls are stood in for, transformers doesn't fill its buffers.
READER = """
import sys, torch, transformers
from safetensors.torch import load_file, save_file
folder, tokens, out = sys.argv[1:]
tokens = load_file(tokens)["tokens"]
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
with torch.no_grad():
    logits = model(tokens).logits[:, :-1]
save_file({"logprobs": logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1).contiguous()}, out)
"""

VOCABULARY = 96  # a multiple of 8: no padding, which would take a share of the probability


def logprobs_of_both(model: ModelConfig, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of random tokens under our model and under transformers' reading of its export."""
    tokens = torch.randint(0, VOCABULARY, (3, 40), generator=torch.Generator().manual_seed(1))
    layout = Layout()
    with process_groups(layout, seed=1):
        module = build_model(model, VOCABULARY, layout, "fp32").eval()
        initialise(module, model, seed=2)
        with torch.no_grad():
            ours = token_logprobs(module, tokens)
        saved = checkpoint.save(folder / "checkpoints", 1, module, None, {})
    export_weights(saved, model, VOCABULARY, 1, folder / "hf")
    save_file({"tokens": tokens}, folder / "tokens")
    subprocess.run(
        [sys.executable, "-c", READER, str(folder / "hf"), str(folder / "tokens"), str(folder / "out")], check=True
    )
    return ours, load_file(folder / "out")["logprobs"]


@pytest.mark.parametrize("groups", [4, 2])
def test_a_dense_export_is_the_same_llama_in_transformers(tmp_path: Path, groups: int) -> None:
    model = load_recipe("miniature", [f"model.num_query_groups={groups}"]).model
    ours, theirs = logprobs_of_both(model, tmp_path)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)


def test_a_hybrid_export_is_the_same_nemotron_h_in_transformers(tmp_path: Path) -> None:
    ours, theirs = logprobs_of_both(load_recipe("miniature_hybrid").model, tmp_path)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
