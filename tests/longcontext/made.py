"""Small checkpoints to merge, made without transformers: every tensor of a tiny model, random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from prism.formats.hf_folder import INDEX
from prism.models.family import family_of, identify
from tests.models.tiny import TINY, VOCABULARY


def hf(
    folder: Path,
    seed: int,
    name: str = "llama_3_1_8b",
    dtype: torch.dtype = torch.bfloat16,
    shards: int = 3,
    **config: Any,
) -> Path:
    """A Hugging Face folder of a tiny model, in shards, with a tokenizer and what travels along."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**TINY[name], **config}))
    (folder / "generation_config.json").write_text('{"eos_token_id": 2}')
    tokenizer(folder, {f"w{number}": number for number in range(VOCABULARY)})
    model = identify(folder)
    parts = [part for weight in family_of(model).weight_map(model, VOCABULARY) for part in weight.parts]
    generator = torch.Generator().manual_seed(seed)
    tensors = {part.name: torch.randn(part.shape, generator=generator).to(dtype) for part in parts}
    write(folder, tensors, shards)
    return folder


def write(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    names, of = sorted(tensors), {}
    for number in range(shards):
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        save_file({name: tensors[name] for name in names[number::shards]}, folder / file, metadata={"format": "pt"})
        of |= dict.fromkeys(names[number::shards], file)
    if shards > 1:
        (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": of}))


def tokenizer(folder: Path, vocabulary: dict[str, int], added: dict[str, int] | None = None, **rest: Any) -> None:
    tokens = [{"content": token, "id": number} for token, number in (added or {}).items()]
    content = {"added_tokens": tokens, "model": {"type": "BPE", "vocab": vocabulary, "merges": []}, **rest}
    (folder / "tokenizer.json").write_text(json.dumps(content))


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a Hugging Face folder, as safetensors reads them."""
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def by_numpy(base: torch.Tensor, trained: torch.Tensor, weight: float = 0.15) -> torch.Tensor:
    """The merge as numpy computes it in float32, rounded to the trained type."""
    old, new = (tensor.float().numpy() for tensor in (base, trained))
    return torch.from_numpy(np.float32(weight) * old + np.float32(1 - weight) * new).to(trained.dtype)
