"""Between Slurm and a launcher that restarts ranks: `python -m prism.launch.slurm.resilient LAUNCHER ARGUMENT ...`.

Slurm's warning (USR1) would end a launcher such as ft_launcher or torchrun; here it goes past it to the ranks, which
save themselves. SIGTERM goes to the launcher, whose exit code is this one's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def ranks_of(launcher: int) -> Iterator[int]:
    """Processes below `launcher` that were started as ranks; its own helpers aren't among them."""
    waiting = [launcher]
    while waiting:
        for file in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for child in file.read_text().split():
                    waiting.append(int(child))
                    if b"\0LOCAL_RANK=" in b"\0" + Path(f"/proc/{child}/environ").read_bytes():
                        yield int(child)


def main() -> None:
    process = subprocess.Popen(sys.argv[1:])

    def warn(number: int, frame: object) -> None:
        for rank in ranks_of(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(rank, signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, warn)
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
