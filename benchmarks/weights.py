"""`prism analyze weights` on two 3 GB bf16 checkpoints: reading speed against `cat`, memory, and exactness.

Both read the same files, in turn. Cold: the page cache is dropped before each (`/proc/sys/vm/drop_caches` as root, else
of these files alone); reading within a process is timed, and a whole process, start-up included. Python and torch are
read back in beforehand, because `cat` is always there. Warm: the files are in the page cache; analysis within a process
against `cat`, and against memory bandwidth: bytes that a thread a core reads a second while it adds up float64 numbers.
Memory is anonymous and shared pages (smaps_rollup, sampled every 20 ms in a round of its own). Figures are held against
numpy in float64, tensor by tensor.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _checkpoint import bytes_of, forget, make_llama, peak_memory, seconds
from _harness import Ratio, quick, report
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from prism.analyze.weights import THRESHOLDS_PERCENT, Asked, analyse, open_source

_DROP = Path("/proc/sys/vm/drop_caches")
_SETTLES_S = 4
_ANALYSE = [sys.executable, "-m", "prism.cli", "analyze", "weights"]


def main() -> None:
    small = quick()
    layers, rounds = (1, 1) if small else (17, 3)
    with tempfile.TemporaryDirectory(dir=os.environ.get("PRISM_BENCH_DIR")) as folder:
        root = Path(folder)
        old, new = root / "base", root / "trained"
        make_llama(old, layers, 0)
        _train(old, new)
        files = [str(file) for side in (old, new) for file in sorted(side.glob("*.safetensors"))]
        size = sum(bytes_of(side) for side in (old, new))
        ours, nothing = [*_ANALYSE, str(old), str(new)], _one_weight(root)
        cat = ["sh", "-c", f"cat {' '.join(files)} > /dev/null"]
        sources = [open_source(str(side)) for side in (old, new)]
        contenders = {
            "cat": lambda: subprocess.run(cat, check=True),
            "reading": lambda: analyse(sources, Asked(((0, 1),))),
            "prism": lambda: seconds(ours),
        }
        cold = _in_turn(contenders, lambda: _drop(root, cat, nothing), rounds)
        warm = {"cat": _median(lambda: subprocess.run(cat, check=True), rounds)}
        warm["prism"] = _median(lambda: analyse(sources, Asked(((0, 1),))), rounds)
        start = seconds(nothing)
        bandwidth = _bandwidth(256 if small else 1024)
        exact = _worst(old, new)
        memory = peak_memory([*ours, "--json", str(root / "out.json")])
        imported = peak_memory(nothing)
    median = {name: statistics.median(values) for name, values in cold.items()}
    report(
        "weights",
        {
            "cold: reading speed over cat's": Ratio(median["cat"] / median["reading"], 0.7),
            "cold: whole process's speed over cat's": Ratio(median["cat"] / median["prism"], 0.7),
            "peak GB": Ratio(memory / 1e9, 1.0, "at_most"),
            "largest relative error": Ratio(exact, 1e-6, "at_most"),
        },
        {
            "GB of both checkpoints": size / 1e9,
            "caches": "dropped before each cold run" if os.access(_DROP, os.W_OK) else "the files alone are dropped",
            "cold: seconds": median["prism"],
            "cold: all seconds": [round(value, 2) for value in cold["prism"]],
            "cold: GB/s": size / 1e9 / median["prism"],
            "cold: cat's seconds": median["cat"],
            "cold: cat's all seconds": [round(value, 2) for value in cold["cat"]],
            "cold: cat's GB/s": size / 1e9 / median["cat"],
            "seconds of a process that compares one small weight": start,
            "cold: seconds within a process": median["reading"],
            "cold: all seconds within a process": [round(value, 2) for value in cold["reading"]],
            "warm: GB/s within a process": size / 1e9 / warm["prism"],
            "warm: cat's GB/s": size / 1e9 / warm["cat"],
            "warm: speed over cat's": warm["cat"] / warm["prism"],
            "memory bandwidth GB/s": bandwidth,
            "warm: share of memory bandwidth": size / 1e9 / warm["prism"] / bandwidth,
            "GB of a process that compares one small weight": imported / 1e9,
        },
    )


def _train(old: Path, new: Path) -> None:
    """A copy in which each weight is off by about 1%, every second one not at all."""
    new.mkdir()
    generator = torch.Generator().manual_seed(1)
    for file in sorted(old.iterdir()):
        if file.suffix != ".safetensors":
            (new / file.name).write_bytes(file.read_bytes())
            continue
        tensors = load_file(file)
        for tensor in tensors.values():
            flat = tensor.view(-1)[::2]
            flat.mul_(1 + 0.01 * torch.empty(len(flat)).normal_(generator=generator))
        save_file(tensors, new / file.name, metadata={"format": "pt"})


def _one_weight(root: Path) -> list[str]:
    """A comparison of almost nothing: what start-up takes."""
    (root / "small").mkdir()
    weight = {"model.layers.0.mlp.up_proj.weight": torch.ones(8, 8, dtype=torch.bfloat16)}
    save_file(weight, root / "small" / "model.safetensors")
    return [*_ANALYSE, str(root / "small"), str(root / "small")]


def _in_turn(contenders: dict[str, Any], before: Any, rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in contenders if number % 2 else reversed(contenders):
            before()
            taken[name].append(_seconds(contenders[name]))
    return taken


def _drop(root: Path, cat: list[str], nothing: list[str]) -> None:
    """The same before every run: the files are read and dropped, and a virtual machine has time to give memory back."""
    subprocess.run(cat, check=True)
    forget(root)
    if os.access(_DROP, os.W_OK):
        subprocess.run(["sync"], check=True)
        _DROP.write_text("1")
    seconds(nothing)
    time.sleep(_SETTLES_S)


def _median(work: Any, rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def _bandwidth(mib: int) -> float:
    """GB a second that as many threads as cores read from memory."""
    cores = len(os.sched_getaffinity(0))
    parts = [np.ones(mib << 17) for _ in range(cores)]
    with ThreadPoolExecutor(cores) as pool:
        best = min(_seconds(lambda: list(pool.map(np.sum, parts))) for _ in range(5))
    return sum(part.nbytes for part in parts) / 1e9 / best


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _worst(old: Path, new: Path) -> float:
    """Largest relative error of relative L2, and largest error of an unchanged share, over all tensors."""
    done = analyse([open_source(str(side)) for side in (old, new)], Asked(((0, 1),)))
    found = {row["name"]: row for row in done.as_json()["comparisons"][0]["tensors"]}
    worst = 0.0
    for name, row in found.items():
        first, second = (_double(side, name) for side in (old, new))
        change = np.abs(second - first)
        moved = float(np.linalg.norm(change) / np.linalg.norm(first))
        worst = max(worst, abs(row["relative_l2"] - moved) / moved)
        for value in THRESHOLDS_PERCENT:
            share = ((change < np.abs(first) * (value / 100)) | ((first == 0) & (second == 0))).mean()
            worst = max(worst, abs(row["unchanged_percent"][f"{value:g}"] / 100 - float(share)))
    return worst


def _double(folder: Path, name: str) -> Any:
    of = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    with safe_open(folder / of[name], framework="pt") as handle:
        return handle.get_tensor(name).double().numpy()


if __name__ == "__main__":
    main()
