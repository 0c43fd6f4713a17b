"""Shared files of the model tests: references by transformers and their Megatron checkpoints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.forks import run_program

ROOT = Path(__file__).parents[2]
PROMPTS = [[5, 17, 3, 90, 41], [8, 2, 33, 71, 64, 12, 9, 25, 50, 3, 7, 81], [99, 4, 61, 18, 2, 30, 77, 6, 11]]


def run_apart(module: str, *arguments: object) -> None:
    """The same in a fresh process, where nothing stands in for CUDA: for packages that are held against ours."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-6_000:]


def run(module: str, *arguments: object, ranks: int = 1) -> None:
    """Runs a module of the tests in processes of its own; fails with what it printed."""
    run_program(module, [str(argument) for argument in arguments], ranks)
