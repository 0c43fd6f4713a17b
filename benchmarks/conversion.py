"""Converting a 3 GB bf16 checkpoint both ways: peak memory, and speed against copying the same files with cp.

Each conversion runs in a process of its own; memory is its anonymous and shared pages (smaps_rollup, sampled every
20 ms), not pages of mapped files. Both sides write to the disk for good: cp is followed by sync. Before each run the
checkpoint's files are dropped from the page cache; Python and torch are not.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from _checkpoint import forget, make_llama, peak_memory, seconds
from _harness import Ratio, quick, report

_PRISM = [sys.executable, "-m", "prism.cli", "convert"]


def main() -> None:
    small = quick()
    layers, rounds = (2, 1) if small else (17, 3)
    with tempfile.TemporaryDirectory(dir=os.environ.get("PRISM_BENCH_DIR")) as folder:
        root = Path(folder)
        make_llama(root / "hf", layers, seed=1)
        size = sum(file.stat().st_size for file in (root / "hf").iterdir())
        taken: dict[str, list[float]] = {"cp": [], "to Megatron": [], "to Hugging Face": []}
        memory: dict[str, float] = {}
        for number in range(rounds + 1):
            for name, command in _commands(root).items():
                forget(root)
                if number == rounds:  # looking at memory slows a process down: a round of its own
                    memory[name] = peak_memory(command)
                else:
                    taken[name].append(seconds(command))
            for made in ("copy", "megatron", "back"):
                shutil.rmtree(root / made)
    speed = {name: size / statistics.median(values) / 1e9 for name, values in taken.items()}
    report(
        "conversion",
        {
            "speed to Megatron over cp": Ratio(speed["to Megatron"] / speed["cp"], 0.6),
            "speed to Hugging Face over cp": Ratio(speed["to Hugging Face"] / speed["cp"], 0.6),
            "peak GB to Megatron": Ratio(memory["to Megatron"] / 1e9, 1.0, "at_most"),
            "peak GB to Hugging Face": Ratio(memory["to Hugging Face"] / 1e9, 1.0, "at_most"),
        },
        {
            "checkpoint GB": size / 1e9,
            "page cache": "the checkpoint's files are dropped from it before each run",
            **{f"{name} GB/s": value for name, value in speed.items()},
            "seconds to start prism convert": seconds([*_PRISM, "--help"]),
            "GB of a process that only imports torch": peak_memory([sys.executable, "-c", "import torch"]) / 1e9,
        },
    )


def _commands(root: Path) -> dict[str, list[str]]:
    hf, megatron, back = str(root / "hf"), str(root / "megatron"), str(root / "back")
    return {
        "cp": ["sh", "-c", f"cp -r {hf} {root / 'copy'} && sync -f {root / 'copy'}"],
        "to Megatron": [*_PRISM, "hf-to-megatron", "--from", hf, "--to", megatron],
        "to Hugging Face": [*_PRISM, "megatron-to-hf", "--from", megatron, "--to", back],
    }


if __name__ == "__main__":
    main()
