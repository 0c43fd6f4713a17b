"""Runs every benchmark of this folder, each in a process of its own, and keeps what it printed last.

    python benchmarks/_run.py [--quick] [NAME ...]

Writes results/<name>.json; leaves with 1 when a benchmark failed or a ratio misses its goal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from _harness import RESULTS

HERE = Path(__file__).parent


def benchmarks() -> list[str]:
    """Names of the benchmarks: the files here that don't start with an underscore."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run benchmarks.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--quick", action="store_true", help="small inputs, few rounds")
    options = parser.parse_args()
    known = benchmarks()
    for name in options.names:
        if name not in known:
            parser.error(f"no benchmark {name}; there are: {', '.join(known)}")
    good = True
    RESULTS.mkdir(exist_ok=True)
    for name in options.names or known:
        print(f"{name} ...", flush=True)
        result = _run(name, options.quick)
        if result is None:
            good = False
            continue
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        for ratio, row in result["ratios"].items():
            sign = ">=" if row["bound"] == "at_least" else "<="
            print(f"  {ratio}: {row['value']:.3g} (goal {sign} {row['goal']:g}){'' if row['holds'] else '  MISSED'}")
            good &= row["holds"]
    return 0 if good else 1


def _run(name: str, quick: bool) -> dict[str, Any] | None:
    command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)
    if done.returncode:
        print(f"  failed with exit code {done.returncode}\n{done.stderr[-2_000:]}", file=sys.stderr)
        return None
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    sys.exit(main())
