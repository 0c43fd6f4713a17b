"""The seven in miniature: made and run by transformers, converted to Megatron."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prism.models.convert import hf_to_megatron
from tests.models.tiny import TINY, VOCABULARY
from tests.models.tiny_io import run, run_apart

Observed = Mapping[str, Mapping[str, torch.Tensor]]


@pytest.fixture(scope="session")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `<name>` (Hugging Face), `<name>.megatron`, `<name>.reference` and `tokens`."""
    pytest.importorskip("transformers", reason="the dev extra brings transformers")
    root = tmp_path_factory.mktemp("seven")
    generator = torch.Generator().manual_seed(1)
    save_file({"tokens": torch.randint(0, VOCABULARY, (2, 48), generator=generator)}, root / "tokens")
    run_apart("tests.models.reference", root)
    for name in TINY:
        hf_to_megatron(root / name, root / f"{name}.megatron")
    return root


@pytest.fixture(scope="session")
def reference(seven: Path) -> Observed:
    """What transformers says of the tokens: logits, and gradients of the mean loss."""
    return {name: load_file(seven / f"{name}.reference") for name in TINY}


@pytest.fixture(scope="session")
def ours(seven: Path) -> Mapping[str, Observed]:
    """What our models say under each layout."""
    found = {}
    for layout, (tensor, pipeline) in {"1": (1, 1), "TP2": (2, 1), "PP2": (1, 2), "TP2xPP2": (2, 2)}.items():
        save = ["save"] if layout == "TP2xPP2" else []
        run("tests.models.worker", seven, seven / f"out.{layout}", tensor, pipeline, *save, ranks=tensor * pipeline)
        found[layout] = {name: load_file(seven / f"out.{layout}.{name}") for name in TINY}
    return found
