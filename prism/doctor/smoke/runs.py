"""Runs of the smoke test: the real pipeline in a process of its own, and what its metrics say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_prep.files import write_text
from prism.doctor.smoke.recipes import STEPS, Kind, Size, recipe
from prism.errors import PrismError

_WARM_UP = 5
_KILL_AFTER = 8
"""Steps before the kill: past the checkpoint of step 5, before that of step 10."""
_DEADLINE_S = 600


@dataclass(frozen=True)
class SmokeRun:
    """A recipe of the smoke test, written to a file of its folder."""

    file: Path
    directory: Path

    @classmethod
    def write(cls, kind: Kind, size: Size, folder: Path) -> SmokeRun:
        values = recipe(kind, size, folder)
        file = folder / f"{kind}.yaml"
        write_text(file, yaml.safe_dump(values, sort_keys=False))
        return cls(file, folder / values["run"]["name"])

    def start(self, stage: str) -> subprocess.Popen[bytes]:
        """`prism run` of a stage and what it needs, in a group of its own, its words in a file."""
        command = [sys.executable, "-m", "prism.cli", "run", str(self.file), "--only", stage]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self, stage: str) -> None:
        """Runs a stage to its end. Raises PrismError with the last lines it said."""
        process = self.start(stage)
        try:
            code = process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            _kill(process)
            code = None
        if code != 0:
            said = self._log.read_text(errors="replace").splitlines()[-12:]
            raise PrismError(
                f"ended with {code}: " + " | ".join(line.strip() for line in said if line.strip()),
                place=f"{self.file.stem}, {stage}",
                remedy=f"see {self._log}",
            )

    def kill_underway(self, stage: str) -> int:
        """Starts a stage and kills all of its processes once some steps are logged. Returns how many were."""
        process, began = self.start(stage), time.monotonic()
        while process.poll() is None and time.monotonic() - began < _DEADLINE_S:
            if len(self.rows(stage)) >= _KILL_AFTER:
                break
            time.sleep(0.005)
        _kill(process)
        return len(self.rows(stage))

    def rows(self, stage: str) -> list[dict[str, Any]]:
        """The stage's steps so far; a line that is being written is left out."""
        path = self.directory / "stages" / stage / "metrics.jsonl"
        if not path.is_file():
            return []
        lines = path.read_text().split("\n")[:-1]
        return [row for row in map(json.loads, lines) if "loss" in row]

    @property
    def _log(self) -> Path:
        return self.file.with_suffix(".log")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the run and the stages that it started; they share its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def trained(kind: Kind, size: Size, folder: Path) -> dict[str, Any]:
    """20 steps of a model: speed and MFU as the median after the first five, the most memory, losses."""
    run = SmokeRun.write(kind, size, folder)
    run.finish("train")
    rows = run.rows("train")
    timings = [row["timing"] for row in rows[_WARM_UP:]]
    mfu = [timing["mfu"] for timing in timings if timing["mfu"] is not None]
    losses = [row["loss"] for row in rows]
    return {
        "holds": len(rows) == STEPS and losses[-1] < losses[0],
        "steps": len(rows),
        "tokens_per_second": statistics.median(timing["tokens_per_second"] for timing in timings),
        "mfu": statistics.median(mfu) if mfu else None,
        "memory_gib": max(timing["memory_gib"] for timing in timings),
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }


def resumed(size: Size, folder: Path, tolerance: float) -> dict[str, Any]:
    """A stage that is killed and called again, against the same stage left alone: losses step by step."""
    run = SmokeRun.write("resume", size, folder)
    run.finish("whole")
    killed_after = run.kill_underway("killed")
    run.finish("killed")
    whole, again = ([row["loss"] for row in run.rows(stage)] for stage in ("whole", "killed"))
    differences = [abs(one - other) / abs(one) for one, other in zip(whole, again, strict=False)]
    return {
        "holds": len(whole) == len(again) == STEPS and killed_after < STEPS and max(differences) <= tolerance,
        "killed_after_steps": killed_after,
        "steps": len(again),
        "largest_relative_difference_of_loss": max(differences, default=None),
        "tolerance": tolerance,
        "identical": whole == again,
    }
