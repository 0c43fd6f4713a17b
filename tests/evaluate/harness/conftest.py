"""A tiny LLaMA on disk, its Megatron checkpoint, and what the harness's own model finds of it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from prism.models.convert import hf_to_megatron
from tests.models.tiny_io import ROOT, run

DATA = Path(os.environ.get("PRISM_DATA", ROOT.parent / "shared" / "data"))


def harness_or_skip() -> None:
    """Skips where lm-evaluation-harness or the data isn't there."""
    for package in ("lm_eval", "transformers"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} isn't installed: pip install -e '.[eval]'")
    if not (DATA / "mmlu_stem" / "test.jsonl").is_file():
        pytest.skip(f"the tasks read gsm8k, mmlu_stem and shakespeare of {DATA}")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `hf`, `megatron`, the tasks' `data`, the `tasks` and `found.hf.json`."""
    harness_or_skip()
    root = tmp_path_factory.mktemp("harness") / "tiny"
    run("tests.evaluate.harness.made", root, DATA)
    hf_to_megatron(root / "hf", root / "megatron")
    return root
