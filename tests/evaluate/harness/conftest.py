"""A tiny LLaMA on disk, its Megatron checkpoint, and what the harness's own model finds of it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prism.models.convert import hf_to_megatron
from tests.models.tiny_io import ROOT, run_apart

DATA = Path(os.environ.get("PRISM_DATA", ROOT.parent / "shared" / "data"))


def harness_or_skip() -> None:
    """Skips where lm-evaluation-harness or the data isn't there."""
    for package in ("lm_eval", "transformers"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} isn't installed: pip install -e '.[eval]'")
    if not (DATA / "mmlu_stem" / "test.jsonl").is_file():
        pytest.skip(f"the tasks read gsm8k, mmlu_stem and shakespeare of {DATA}")


@contextmanager
def alone(folder: Path, name: str) -> Iterator[bool]:
    """Workers of the test run come one after the other; False where one has done it already."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / f"{name}.done"
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `hf`, `megatron`, the tasks' `data`, the `tasks` and `found.hf.json`; made once for all workers."""
    harness_or_skip()
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = shared / "harness_tiny"
    with alone(shared, "harness") as wanted:
        if wanted:
            run_apart("tests.evaluate.harness.made", root, DATA)
            hf_to_megatron(root / "hf", root / "megatron")
    return root
