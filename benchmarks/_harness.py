"""What the benchmarks share: contenders timed in turn, ratios held against goals, one JSON object as the last line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Ratio:
    """A figure of ours over a peer's (or the other way round), and the bound that it should keep."""

    value: float
    goal: float
    bound: Literal["at_least", "at_most"] = "at_least"

    @property
    def holds(self) -> bool:
        return self.value >= self.goal if self.bound == "at_least" else self.value <= self.goal


def quick() -> bool:
    """Whether `--quick` was given: small inputs and few rounds, to see that the benchmark runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small inputs, few rounds; the figures mean little")
    return bool(parser.parse_args().quick)


def median_seconds(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median wall seconds of each contender over `rounds`, after one round to warm up.

    In a round every contender runs once; the order is reversed from round to round, so that neither a warming
    machine nor a filling cache favours one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for index in range(rounds + 1):
        for name in order if index % 2 else reversed(order):
            began = time.perf_counter()
            contenders[name]()
            elapsed = time.perf_counter() - began
            if index:
                seconds[name].append(elapsed)
    return {name: statistics.median(values) for name, values in seconds.items()}


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions that the figures were taken with."""
    found: dict[str, Any] = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "load_1_min": round(os.getloadavg()[0], 2),
    }
    try:
        import torch
    except ImportError:
        return found
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return found | {"torch": torch.__version__, "device": device}


def report(benchmark: str, ratios: Mapping[str, Ratio], figures: Mapping[str, Any]) -> None:
    """Prints the figures, then everything as one JSON object on the last line."""
    for name, value in figures.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    rows = {
        name: {"value": round(ratio.value, 4), "goal": ratio.goal, "bound": ratio.bound, "holds": ratio.holds}
        for name, ratio in ratios.items()
    }
    print(json.dumps({"benchmark": benchmark, "ratios": rows, "figures": dict(figures), "machine": machine()}))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
