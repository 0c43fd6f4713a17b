"""A job as `prism rl aligner` writes it, once for the tests that read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.commands.aligner import write_aligner_job
from tests.nemo.made import recipe, run_folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the run's folder and the prompts."""
    folder = tmp_path_factory.mktemp("aligner")
    run_folder(folder)
    return folder


@pytest.fixture(scope="session")
def job(world: Path) -> Path:
    changes = [
        "rl.aligner.container='nvcr.io#nvidia/nemo:25.04'",
        "cluster.slurm.account=team",
        "cluster.slurm.mounts=[/m:/m]",
    ]
    return write_aligner_job(recipe(world, *changes), "rl", world / "job").folder
