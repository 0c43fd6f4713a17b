"""A folder with raw files and a recipe, and `prism data prepare` called in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.data_prep.preparation import made_up, results

ROOT = Path(__file__).parents[3]
COMMAND = Path(__file__).with_name("prepare_command.py")


@dataclass(frozen=True)
class Workplace:
    """Paths in the recipe are relative: what runs the tasks has to run them here."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def start(self, run: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(COMMAND), "data", "prepare", "mine.yaml", "--set", f"run.name={run}", *arguments],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def prepare(self, run: str, *arguments: str) -> tuple[int, str]:
        """Exit code, and what was said."""
        process = self.start(run, *arguments)
        said = "".join(process.communicate())
        return process.returncode, said

    def data(self, run: str) -> Path:
        return self.folder / "runs" / run / "data"

    def made(self, run: str) -> dict[str, str]:
        """Hash of every file of the run's data."""
        return results(self.data(run))


def make_workplace(folder: Path, megabytes: float, environment: Mapping[str, str] | None = None) -> Workplace:
    data = made_up(folder / "raw", megabytes)
    recipe = {
        "schema_version": 1,
        "extends": str(ROOT / "recipes/models/miniature_dense.yaml"),
        "run": {"name": "mine"},
        "data": data,
        "midtrain": {"blend": "all", "sequence_length": 64, "steps": 10, "global_batch_size": 1, "micro_batch_size": 1},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False).replace(f"{folder}/", ""))
    return Workplace(folder, environment or dict(os.environ))


def spoil(place: Workplace) -> None:
    """Adds a line that isn't JSON to the raw file."""
    with (place.folder / "raw" / "web.jsonl").open("a") as handle:
        handle.write("{broken\n")
