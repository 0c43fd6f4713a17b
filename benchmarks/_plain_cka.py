"""CKA as one would write it down: transformers, a text at a time, and numpy on features. In a process of its own.

    _plain_cka.py FOLDER FOLDER SET... > {"seconds": ..., "layers": {set: [cka]}}

Seconds are from loading the models to the last figure; imports don't count.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

RESAMPLES = 20


def main() -> None:
    first, second, *sets = sys.argv[1:]
    began = time.perf_counter()
    texts = {Path(path).stem: _texts(Path(path)) for path in sets}
    before, after = (_states(folder, texts) for folder in (first, second))
    layers = {}
    for name in texts:
        layers[name] = [_cka(x, y) for x, y in zip(before[name], after[name], strict=True)]
        draw = np.random.default_rng(1)
        for _ in range(RESAMPLES):
            rows = draw.permutation(len(texts[name]))[: len(texts[name]) // 2]
            _ = [_cka(x[rows], y[rows]) for x, y in zip(before[name], after[name], strict=True)]
        _ = [[_cka(x, y) for y in after[name]] for x in before[name]]
    print(json.dumps({"seconds": time.perf_counter() - began, "layers": layers}))


def _texts(path: Path) -> list[str]:
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


def _states(folder: str, texts: dict[str, list[str]]) -> dict[str, Any]:
    """(layers, texts, hidden) of each set."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = {}
    with torch.inference_mode():
        for name, part in texts.items():
            rows = []
            for text in part:
                tokens = torch.tensor([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
                states = model(tokens, output_hidden_states=True).hidden_states[1:]
                rows.append(np.stack([layer[0].double().mean(0).numpy() for layer in states]))
            found[name] = np.stack(rows, 1)
    return found


def _cka(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    return float(np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


if __name__ == "__main__":
    main()
