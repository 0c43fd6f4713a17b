"""Merging two 3 GB bf16 checkpoints: mergekit's linear merge and `prism merge` in turn, memory of both, and exactness.

Each merge is a process of its own, start-up included, timed until what it wrote is on the disk (`sync` follows; ours
has synced by then). Before each the inputs are dropped from the page cache; Python, torch and transformers are not.
mergekit runs once with each of its options that matter on a CPU; the fastest goes against ours. Memory is anonymous and
shared pages (smaps_rollup, sampled every 20 ms in a round of its own), not pages of mapped files. Both results are held
against numpy in float32, rounded to bf16: three blocks of every tensor.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _checkpoint import bytes_of, forget, make_llama, peak_memory, seconds
from _harness import Ratio, quick, report
from _mergekit import VARIANTS, merge_config, mergekit
from safetensors import safe_open

_BLOCK_ROWS = 64


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    small = quick()
    layers, rounds = (1, 1) if small else (17, 3)
    command = mergekit()
    with tempfile.TemporaryDirectory(dir=os.environ.get("PRISM_BENCH_DIR")) as folder:
        root = Path(folder)
        for seed, name in enumerate(("base", "trained")):
            make_llama(root / name, layers, seed)
        (root / "merge.yaml").write_text(merge_config(root / "base", root / "trained"))
        theirs = {
            name: [str(command), str(root / "merge.yaml"), str(root / "mergekit"), *options]
            for name, options in list(VARIANTS.items())[: 1 if small else None]
        }
        tried = {name: _seconds(root, line, "mergekit") for name, line in theirs.items()}
        fastest = min(tried, key=lambda name: tried[name])
        contenders = {"mergekit": theirs[fastest], "prism": _ours(root)}
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name in contenders if number % 2 else reversed(contenders):
                taken[name].append(_seconds(root, contenders[name], name))
        memory = {}
        for name, line in contenders.items():
            shutil.rmtree(root / name)
            forget(root)
            memory[name] = peak_memory(line) / 1e9
        exact = {name: _exact(root, name) for name in contenders}
        size = bytes_of(root / "base") / 1e9
    median = {name: statistics.median(values) for name, values in taken.items()}
    report(
        "merge",
        {
            "speed over mergekit": Ratio(median["mergekit"] / median["prism"], 2.0),
            "peak GB": Ratio(memory["prism"], 1.0, "at_most"),
            "share of values that are numpy's": Ratio(exact["prism"], 1.0),
        },
        {
            "checkpoint GB": size,
            "page cache": "the inputs are dropped from it before each run",
            "seconds": median["prism"],
            "all seconds": [round(value, 2) for value in taken["prism"]],
            "mergekit seconds": median["mergekit"],
            "mergekit all seconds": [round(value, 2) for value in taken["mergekit"]],
            "mergekit with": fastest,
            "mergekit tried once": {name: round(value, 2) for name, value in tried.items()},
            "mergekit peak GB": memory["mergekit"],
            "mergekit share of values that are numpy's": exact["mergekit"],
            "GB of a process that only imports torch": peak_memory([sys.executable, "-c", "import torch"]) / 1e9,
        },
    )


def _ours(root: Path) -> list[str]:
    folders = [str(root / name) for name in ("base", "trained", "prism")]
    return [sys.executable, "-m", "prism.cli", "merge", *folders]


def _seconds(root: Path, command: list[str], target: str) -> float:
    shutil.rmtree(root / target, ignore_errors=True)
    forget(root)
    return seconds(command, root)


def _exact(root: Path, name: str) -> float:
    """Share of values that are what numpy says, over blocks at the beginning, middle and end of every tensor."""
    same = total = 0
    base, trained, found = (_tensors(root / folder) for folder in ("base", "trained", name))
    for key, old in base.items():
        rows = old.get_shape()[0]
        for first in {0, max(0, rows // 2 - _BLOCK_ROWS // 2), max(0, rows - _BLOCK_ROWS)}:
            cut = slice(first, first + _BLOCK_ROWS)
            one, other, merged = (pieces[key][cut] for pieces in (base, trained, found))
            mixed = np.float32(0.15) * one.float().numpy() + np.float32(0.85) * other.float().numpy()
            same += int((merged == torch.from_numpy(mixed).bfloat16()).sum())
            total += merged.numel()
    return same / total


def _tensors(folder: Path) -> dict[str, Any]:
    slices = {}
    for file in sorted(folder.glob("*.safetensors")):
        handle = safe_open(file, framework="pt")
        slices |= {key: handle.get_slice(key) for key in handle.keys()}  # noqa: SIM118  no mapping
    return slices


if __name__ == "__main__":
    main()
