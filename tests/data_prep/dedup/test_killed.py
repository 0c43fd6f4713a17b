"""A search for duplicates that is killed in each of its stages goes on, and finds the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from data_prep.dedup import find_duplicates
from data_prep.executor import Executor
from tests.data_prep.dedup.planted import Texts, made_up

ROOT = Path(__file__).parents[3]
UNITS = 12
FILES_AT_KILL = (1, 20, 45, 55)
"""Of the 48 that the units leave and the 24 of the comparison's parts."""


def search(folder: Path, workers: int) -> None:
    stream = random.Random(6)
    texts = [made_up(stream, 120) for _ in range(600)]
    units = [stream.choices(texts, k=100) for _ in range(UNITS)]
    executor = Executor(workers=workers)

    def run(name: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
        executor.run(name, pipeline, tasks, folder / name)

    find_duplicates("minhash", [Texts(units)], folder / "drops", UNITS, run)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A search in a session of its own, so that its workers die with it."""
    program = "from pathlib import Path; from tests.data_prep.dedup.test_killed import search; import sys; "
    command = [sys.executable, "-c", f"{program} search(Path(sys.argv[1]), 2)", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)


def kill_at(folder: Path, files: int) -> bool:
    """Kills a search once it has left so many files; whether it was still running."""
    process = start(folder)
    while process.poll() is None:
        if (folder / "drops").is_dir() and len(list((folder / "drops").iterdir())) >= files:
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.0005)
    return process.wait() == -signal.SIGKILL


def test_kills_in_every_stage_change_no_byte(tmp_path: Path) -> None:
    search(tmp_path / "whole", 1)
    wanted = {name: (tmp_path / "whole/drops" / name).read_bytes() for name in ("drops.npy", "drops.json")}

    killed = [kill_at(tmp_path / "killed", files) for files in FILES_AT_KILL]
    last = start(tmp_path / "killed")

    assert last.wait() == 0
    assert sum(killed) >= len(FILES_AT_KILL) - 1
    assert {name: (tmp_path / "killed/drops" / name).read_bytes() for name in wanted} == wanted
