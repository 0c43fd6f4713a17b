"""A small run, launched on a small Slurm."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_prep.files import read_jsonl
from tests.slurm.small_slurm import SmallSlurm

ROOT = Path(__file__).parents[2]
WITHIN_S = 300


@dataclass(frozen=True)
class Launched:
    """A run of two processes on two nodes; `prism` is called as a user would."""

    slurm: SmallSlurm
    folder: Path
    recipe: str
    overrides: tuple[str, ...]

    @property
    def directory(self) -> Path:
        return self.folder / "runs" / "run"

    def prism(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "prism.cli", *arguments],
            cwd=self.folder,
            env={**self.slurm, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def launch(self, *options: str, only: Sequence[str] = ("base",), code: int = 0) -> str:
        named = [part for node in only for part in ("--only", node)]
        changed = [part for override in self.overrides for part in ("--set", override)]
        return self.prism("launch", self.recipe, "--cluster", "slurm", *named, *changed, *options, code=code)

    def ask(self, *command: str) -> str:
        return subprocess.run(command, env=self.slurm, capture_output=True, text=True, check=True).stdout

    def queue(self) -> list[str]:
        return self.ask("squeue", "--noheader", "--format=%j").split()

    def until(self, reached: Callable[[], object], within_s: float = WITHIN_S) -> None:
        end = time.monotonic() + within_s
        while not reached():
            assert time.monotonic() < end, self.everything_said()
            time.sleep(0.2)

    def finish(self) -> None:
        """Waits until none of the run's jobs is left."""
        self.until(lambda: not self.queue())

    def steps(self, stage: str) -> int:
        file = self.directory / "stages" / stage / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def metrics(self, stage: str) -> list[dict[str, Any]]:
        """Every step's figures but the time that they took."""
        rows = read_jsonl(self.directory / "stages" / stage / "metrics.jsonl")
        return [{key: value for key, value in row.items() if key != "timing"} for row in rows]

    def everything_said(self) -> str:
        logs: Iterable[Path] = [
            *(self.directory / "launch" / "logs").glob("*"),
            *(self.directory / "logs").glob("*.log"),
        ]
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-3_000:]}" for log in logs)


def launched(slurm: SmallSlurm, folder: Path, *overrides: str, **settings: Any) -> Launched:
    """A run in `folder`; `settings` are keys of cluster.slurm."""
    recipe = {
        "extends": str(ROOT / "tests/pipeline/small.yaml"),
        "run": {"name": "run"},
        "evaluate": {"limit": 8},
        "cluster": {
            "processes": 2,
            "tensor_parallel": 2,
            "devices_per_node": 1,
            "slurm": {
                "gpus": False,
                "exclusive": False,
                "python": sys.executable,
                "time_limit_minutes": 10,
                "warning_s": 30,
                "cpu_job_cores": 1,
                "environment": {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)},
                **settings,
            },
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return Launched(slurm, folder, "recipe.yaml", overrides)
