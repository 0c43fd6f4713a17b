"""Slurm's warning goes past a launcher to its ranks, and the launcher lives on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from prism.launch.local import free_port

RANK = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def leave(number, frame):
    (folder / f"saved-{os.environ['RANK']}").touch()
    sys.exit(0)
signal.signal(signal.SIGUSR1, leave)
(folder / f"ready-{os.environ['RANK']}").touch()
time.sleep(60)
"""


def test_ranks_are_warned_and_the_launcher_is_not(tmp_path: Path) -> None:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launcher += ["--master-addr", "127.0.0.1", "--master-port", str(free_port()), str(script), str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-m", "prism.launch.slurm.resilient", *launcher])
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("ready-*"))) < 2:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=60) == 0
    assert sorted(file.name for file in tmp_path.glob("saved-*")) == ["saved-0", "saved-1"]
