"""mergekit in an environment of its own, which borrows torch and transformers from the one that runs the benchmark."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

REQUIREMENTS = (
    "mergekit==0.1.5",
    "accelerate==1.15.0",
    "datasets==5.2.0",
    "immutables==0.21",
    "peft==0.21.2",
    "protobuf==7.36.2",
    "scipy==1.17.1",
    "sentencepiece==0.2.3",
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "as it comes": (),
    "--lazy-unpickle": ("--lazy-unpickle",),
    "--low-cpu-memory": ("--low-cpu-memory",),
    "--async-write": ("--async-write", "--write-threads", "2"),
}
"""Its options that matter for safetensors on a CPU; the fastest is the one that we are held against."""

_CONFIG = """\
merge_method: linear
models:
  - model: {base}
    parameters: {{weight: 0.15}}
  - model: {trained}
    parameters: {{weight: 0.85}}
dtype: bfloat16
"""


def mergekit() -> Path:
    """Its command. PRISM_BENCH_MERGEKIT names the environment, which is made where it is absent."""
    folder = Path(os.environ.get("PRISM_BENCH_MERGEKIT") or Path(tempfile.gettempdir()) / "prism_bench_mergekit")
    command = folder / "bin" / "mergekit-yaml"
    if not command.is_file():
        _install(folder)
    return command


def _install(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    own = subprocess.run(
        [str(folder / "bin" / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(own.stdout.strip()) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", *REQUIREMENTS]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mergekit can't be installed here:\n{done.stderr[-2_000:]}")


def merge_config(base: Path, trained: Path) -> str:
    """What mergekit-yaml reads: the merge that `prism merge` does by default."""
    return _CONFIG.format(base=base, trained=trained)
