"""A training step against its peers, what saving costs it, and how soon the first one is done.

- dense, 20M parameters and the miniature: a plain PyTorch loop (no engine, torch.compile off in both)
- hybrids, state 128 and the miniature's: transformers' Trainer on the same architecture
- an asynchronous checkpoint: how long training stands still, as a share of a synchronous save
- the miniature: seconds from the command to the first step's line in metrics.jsonl, data prepared

Contenders run in processes of their own, in turn; see `_contenders.py`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _harness import Ratio, quick, report

HERE = Path(__file__).parent
PAIRS = {
    # model: (peer, goal, steps)
    "dense_20m": ("plain", 0.95, 8),
    "miniature": ("plain", 0.8, 60),
    "hybrid_state128": ("trainer", 3.0, 8),
    "hybrid_miniature": ("trainer", 1.3, 40),
}
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "20000",
    "PRISM_BACKEND": "cpu",
}
"""Threads as a run sets them, for every contender."""


def main() -> None:
    small = quick()
    rounds = 1 if small else 5
    ratios, figures = {}, {}
    for model, (peer, goal, steps) in PAIRS.items():
        if small and model == "dense_20m":
            continue
        seconds: dict[str, list[float]] = {peer: [], "prism": []}
        for turn in range(rounds):
            for name in sorted(seconds, reverse=bool(turn % 2)):
                found = contender(name, model, 2 if small else steps)
                seconds[name].append(found["seconds"])
                figures[f"{model}, parameters"] = found["parameters"]
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        ratios[f"{model}_over_{peer}"] = Ratio(medians[peer] / medians["prism"], goal)
        figures |= {f"{model}, {name} ms a step": 1e3 * value for name, value in medians.items()}
    saved = json.loads(run([str(HERE / "_saving.py"), *(["--quick"] if small else [])]))
    ratios["stall_over_synchronous_save"] = Ratio(saved["stall"], 0.05, "at_most")
    figures |= {f"saving: {name}": value for name, value in saved.items()}
    ratios["startup_seconds"] = Ratio(statistics.median(startup(1 if small else 3)), 10.0, "at_most")
    report("train_step", ratios, figures)


def contender(name: str, model: str, steps: int) -> dict[str, float]:
    found: dict[str, float] = json.loads(run([str(HERE / "_contenders.py"), name, model, str(steps)]))
    return found


def run(arguments: list[str]) -> str:
    """The last line that a script of this folder prints."""
    done = subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, cwd=HERE.parent, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{arguments[0]} failed:\n{done.stderr[-3_000:]}")
    return done.stdout.splitlines()[-1]


def startup(rounds: int) -> list[float]:
    """Seconds from `prism run miniature --only base` to the first step, the data being there."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "prism.cli", "run", "miniature", "--set", f"run.directory={folder}"]
        subprocess.run([*command, "--only", "data"], env=ENVIRONMENT, cwd=HERE.parent, check=True, capture_output=True)
        metrics = Path(folder) / "miniature" / "stages" / "base" / "metrics.jsonl"
        found = []
        for _ in range(rounds):
            metrics.unlink(missing_ok=True)
            began = time.perf_counter()
            process = subprocess.Popen(
                [*command, "--only", "base"], env=ENVIRONMENT, cwd=HERE.parent, stdout=subprocess.DEVNULL
            )
            while not (metrics.exists() and metrics.stat().st_size):
                if process.poll() is not None:
                    sys.exit("prism run ended before its first step")
                time.sleep(0.01)
            found.append(time.perf_counter() - began)
            process.terminate()  # asks the stage to leave too: one that trains on would slow the next round
            process.wait()
        return found


if __name__ == "__main__":
    main()
