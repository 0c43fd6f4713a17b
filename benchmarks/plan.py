"""What `prism plan` costs: whole processes, beside the import of the engine, which is the least that it can cost.

    python benchmarks/plan.py [--quick]

The figures are wall seconds of each recipe; a refused recipe (exit code 3) is planned whole before it is refused.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from _harness import Ratio, quick, report

ROOT = Path(__file__).parent.parent
_BOUND_S = 20.0
"""What a user waits for a plan, at most."""
_IMPORT = "from prism.megatron.backend import install; install(); import prism.plan.stages"


def recipes() -> list[str]:
    """Names of all shipped recipes that aren't fragments: at the top, and a folder a model."""
    folder = ROOT / "recipes"
    models = {path.stem for path in (folder / "models").glob("*.yaml")}
    found = list(folder.glob("*.yaml"))
    found += [path for name in models for path in (folder / name).glob("*.yaml")]
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in found)


def main() -> None:
    few = quick()
    names = ["miniature", "granite_4_h_micro/math"] if few else recipes()
    floor = statistics.median(_seconds("-c", _IMPORT, allowed=(0,)) for _ in range(1 if few else 5))
    seconds = {name: _seconds("-m", "prism.cli", "plan", name, allowed=(0, 3)) for name in names}
    slowest = max(seconds, key=seconds.__getitem__)
    again = statistics.median(
        [seconds[slowest]]
        + [_seconds("-m", "prism.cli", "plan", slowest, allowed=(0, 3)) for _ in range(0 if few else 2)]
    )
    report(
        "plan",
        {
            "slowest_recipe_over_20_s": Ratio(again / _BOUND_S, 1.0, "at_most"),
            "median_recipe_over_import_of_the_engine": Ratio(
                statistics.median(seconds.values()) / floor, 4.0, "at_most"
            ),
        },
        {"import_of_the_engine_s": round(floor, 2), "slowest_recipe": slowest}
        | {f"{name}_s": round(value, 2) for name, value in seconds.items()},
    )


def _seconds(*arguments: str, allowed: tuple[int, ...]) -> float:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode not in allowed:
        sys.exit(f"{' '.join(arguments)} left with {done.returncode}:\n{done.stderr[-2_000:]}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
