"""Shared files of the model tests: references by transformers and their Megatron checkpoints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMPTS = [[5, 17, 3, 90, 41], [8, 2, 33, 71, 64, 12, 9, 25, 50, 3, 7, 81], [99, 4, 61, 18, 2, 30, 77, 6, 11]]


def run(module: str, *arguments: object, ranks: int = 1) -> None:
    """Runs a module of the tests in processes of its own; fails with what it printed."""
    launcher = ["-m", module]
    if ranks > 1:
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "--rdzv-backend", "c10d"]
        launcher += ["--rdzv-endpoint", "localhost:0", "-m", module]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PRISM_BACKEND": "cpu", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *launcher, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6_000:]
