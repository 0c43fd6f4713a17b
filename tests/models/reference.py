"""transformers' side of the comparison, in a process of its own: where CUDA calls are stood in for, it doesn't
fill its buffers.

    reference.py ROOT    makes each tiny model with random weights, ROOT/<name>, and ROOT/<name>.reference: logits of
                         ROOT/tokens, and gradients of the mean loss
    reference.py ROOT observe    only the second: the models are there
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.models.tiny import TINY


def make(name: str, folder: Path, dtype: str = "float32") -> None:
    folder.mkdir(parents=True)
    text = json.dumps({**TINY[name], "torch_dtype": dtype}, indent=2)
    (folder / "config.json").write_text(text)
    config = transformers.AutoConfig.from_pretrained(folder)
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.5 * parameter.shape[-1] ** -0.5)
            elif key.endswith("A_log"):
                parameter.uniform_(0, 2.5)
            elif key.endswith("dt_bias"):
                parameter.uniform_(-4, 0)
            else:
                parameter.uniform_(0.5, 1.5)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    (folder / "config.json").write_text(text)  # as it was published, not as this release writes it


def observe(folder: Path, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    logits = model(tokens, use_cache=False).logits
    torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    found = {f"gradient.{name}": weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return {"logits": logits.detach().contiguous(), **found}


def main() -> None:
    root, exists = Path(sys.argv[1]), "observe" in sys.argv[2:]
    tokens = load_file(root / "tokens")["tokens"]
    for name in TINY:
        if not exists:
            make(name, root / name)
        save_file(observe(root / name, tokens), root / f"{name}.reference")


if __name__ == "__main__":
    main()
