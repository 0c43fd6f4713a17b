"""Whether a machine can work: `python -m prism.launch.slurm.check RUN_DIRECTORY DEVICES` prints `fit: NAME`, or why
not.

It runs on every machine of a job before and after the work, so it costs a second and needs no torch.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def obstacle(run: Path, devices: int) -> str | None:
    """Why this machine can't work in `run` with so many GPUs; None when it can."""
    try:
        probe = run / "launch" / f".fit-{socket.gethostname()}-{os.getpid()}"
        probe.write_bytes(b"fit")
        probe.unlink()
    except OSError as error:
        return f"can't write below {run}: {error.strerror}"
    found = _visible_gpus() if devices else None
    return f"{found} of {devices} GPUs answer" if found is not None and found < devices else None


def _visible_gpus() -> int | None:
    """None where nothing can tell: that isn't the machine's fault."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        return None
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def main() -> None:
    name = os.environ.get("SLURMD_NODENAME", socket.gethostname())
    found = obstacle(Path(sys.argv[1]), int(sys.argv[2]))
    print(f"fit: {name}" if found is None else f"unfit: {name}: {found}", flush=True)


if __name__ == "__main__":
    main()
