"""Our side: loads converted checkpoints under a layout and writes what the models say of the same tokens.

    worker.py ROOT OUT TENSOR PIPELINE [save]

ROOT holds `<name>` (Hugging Face), `<name>.megatron` and `tokens`. Of each model OUT gets logits and greedy responses
of the prompts; on one rank gradients too. With `save`, each model is saved again from this layout.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Request, Sampling
from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.forward import all_logits
from prism.megatron.parallel import Layout, is_first_rank, process_groups
from prism.models.family import family_of, identify
from prism.models.weights import split
from prism.recipe import ModelConfig
from tests.models.tiny import TINY, VOCABULARY
from tests.models.tiny_io import PROMPTS

GREEDY = Sampling(temperature=0, top_p=1, max_new_tokens=64, stop_ids=())


def observe(root: Path, name: str, layout: Layout, save: bool) -> dict[str, Tensor]:
    model = identify(root / name)
    module = build_model(model, VOCABULARY, layout, "fp32").eval()
    source = root / f"{name}.megatron"
    checkpoint.load(checkpoint.require_latest(source), module)
    if save:
        checkpoint.save(root / f"{name}.saved", 0, module, None, {})
    tokens = load_file(root / "tokens")["tokens"]
    with torch.no_grad():
        found = {"logits": all_logits(module, tokens)[..., :VOCABULARY].contiguous()}
    responses = MegatronLanguageModel(module, VOCABULARY, model.max_position_embeddings).generate(
        [Request(prompt, 1) for prompt in PROMPTS], GREEDY
    )
    for row, (prompt, response) in enumerate(zip(PROMPTS, responses, strict=True)):
        whole = torch.tensor([[*prompt, *response.tokens]])
        with torch.no_grad():
            logits = all_logits(module, whole)[0, len(prompt) - 1 : -1, :VOCABULARY]
        found[f"cached.{row}.tokens"] = torch.tensor(response.tokens)
        found[f"cached.{row}.logprobs"] = torch.tensor(response.logprobs)
        found[f"full.{row}.tokens"] = logits.argmax(-1)
        found[f"full.{row}.logprobs"] = logits.log_softmax(-1).max(-1).values
    if layout == Layout():
        found |= gradients(module, model, tokens)
    return found


def gradients(module: Any, model: ModelConfig, tokens: Tensor) -> dict[str, Tensor]:
    """Of the mean loss, by Hugging Face names."""
    positions = torch.arange(tokens.shape[1]).expand_as(tokens)
    logits = module(tokens, positions, None)[..., :VOCABULARY]
    F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    by_name = {name: parameter.grad for name, parameter in module.named_parameters()}
    found = {}
    for weight in family_of(model).weight_map(model, VOCABULARY):
        whole = by_name[weight.name]
        rows = whole[:VOCABULARY] if weight.vocabulary else whole
        for part, gradient in zip(weight.parts, split(weight, rows, model), strict=True):
            found[f"gradient.{part.name}"] = gradient.contiguous()
    return found


def main() -> None:
    root, out, tensor, pipeline, *save = sys.argv[1:]
    layout = Layout(tensor=int(tensor), pipeline=int(pipeline))
    with process_groups(layout, seed=1):
        for name in TINY:
            found = observe(Path(root), name, layout, bool(save))
            if is_first_rank():
                save_file(found, f"{out}.{name}")


if __name__ == "__main__":
    main()
