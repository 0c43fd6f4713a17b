"""Tiny models that can be opened by name: Hugging Face folders whose tokenizer reads texts, and input sets."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.longcontext.made import hf
from tests.models.tiny import VOCABULARY

WORDS = [f"w{number}" for number in range(3, VOCABULARY)]


def model(folder: Path, seed: int, name: str = "llama_3_1_8b", **config: Any) -> Path:
    """A folder with small random weights in fp32, whose logits aren't extreme."""
    hf(folder, seed, name, dtype=torch.float32, shards=1, **config)
    rewrite(folder, lambda tensor: tensor * (tensor.shape[-1] ** -0.5 if tensor.ndim > 1 else 1.0))
    read_words(folder)
    return folder


def read_words(folder: Path) -> None:
    """Its tokenizer splits at blanks, and ends texts with </s>."""
    words = {"<unk>": 0, "<s>": 1, "</s>": 2} | {word: number for number, word in enumerate(WORDS, start=3)}
    content = {
        "version": "1.0",
        "added_tokens": [
            {"id": 2, "content": "</s>", "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
        ],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(content))


def rewrite(folder: Path, change: Any) -> None:
    """Every tensor of the folder becomes what `change` makes of it."""
    for file in folder.glob("*.safetensors"):
        save_file({name: change(tensor).contiguous() for name, tensor in load_file(file).items()}, file,
                  metadata={"format": "pt"})  # fmt: skip


def nearby(source: Path, folder: Path, scale: float, seed: int) -> Path:
    """A copy whose weights have moved a little."""
    folder.mkdir(parents=True)
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    generator = torch.Generator().manual_seed(seed)
    rewrite(
        folder,
        lambda tensor: tensor + scale * tensor.abs().mean() * torch.randn(tensor.shape, generator=generator),
    )
    return folder


def input_set(path: Path, count: int, seed: int, longest: int = 30) -> Path:
    """Texts of different lengths in the models' words."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(3, longest))) for _ in range(count)]
    return write_rows(path, [{"text": text} for text in texts])


def word_task(folder: Path, count: int = 12) -> Path:
    """A generation task; random models answer it wrongly, each in its own way."""
    draw = random.Random(5)
    rows = [
        {"id": f"q{number}", "prompt": " ".join(draw.choices(WORDS, k=4)), "answer": draw.choice(string.digits)}
        for number in range(count)
    ]
    write_rows(folder / "questions.jsonl", rows)
    task = {
        "name": "words", "version": 1, "kind": "generate", "domain": "math", "description": "made up",
        "path": str(folder / "questions.jsonl"), "verifier": {"kind": "exact"},
        "samples": 2, "temperature": 1.0, "max_new_tokens": 12,
    }  # fmt: skip
    (folder / "words.yaml").write_text(json.dumps(task))
    return folder / "words.yaml"


def bits_task(folder: Path) -> Path:
    """Likelihood of texts: a figure that every weight moves."""
    task = {
        "name": "texts", "version": 1, "kind": "bits_per_byte", "domain": "general", "description": "made up",
        "path": str(input_set(folder / "texts.jsonl", 10, 8)),
    }  # fmt: skip
    (folder / "texts.yaml").write_text(json.dumps(task))
    return folder / "texts.yaml"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
