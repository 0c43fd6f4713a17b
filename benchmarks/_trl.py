"""TRL's GRPOTrainer in an environment of its own, which borrows torch and transformers; steps timed in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = ("trl==1.16.0", "datasets==5.2.0", "accelerate==1.15.0")
"""Installed without what they ask for: the benchmark's own environment has the rest."""


def step_seconds(model: Path, lengths: Sequence[int], prompts: int, group: int, steps: int) -> list[float]:
    """Seconds of each whole step of GRPOTrainer on the Hugging Face folder `model`, responses of these lengths."""
    done = subprocess.run(
        [
            str(_python()), str(Path(__file__).with_name("_trl_steps.py")),
            str(model), json.dumps(list(lengths)), str(prompts), str(group), str(steps),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"TRL failed: {done.stderr[-3_000:]}")
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _python() -> Path:
    """PRISM_BENCH_TRL names the environment, which is made where it is absent."""
    folder = Path(os.environ.get("PRISM_BENCH_TRL") or Path(tempfile.gettempdir()) / "prism_bench_trl")
    python = folder / "bin" / "python"
    if (
        subprocess.run([str(python), "-c", "import trl, datasets"], capture_output=True, check=False).returncode == 0
        if python.exists()
        else False
    ):
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    own = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (Path(own.stdout.strip()) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", *REQUIREMENTS], check=True)
    return python
