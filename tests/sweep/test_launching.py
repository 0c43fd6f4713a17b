"""A sweep's jobs as arrays: what is shared comes in an earlier one, and a run is in an array once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prism.errors import UsageError
from prism.recipe.sweeps import load_sweep
from prism.sweep.launching import sweep_scripts, waves
from prism.sweep.members import Sweep, expand
from prism.sweep.plan import plan

SMALL = Path(__file__).with_name("small.yaml")


def small(*overrides: str) -> Sweep:
    return expand(load_sweep(str(SMALL)), overrides)


def test_what_is_shared_comes_in_the_array_before() -> None:
    first, second = waves(plan(small()))
    assert [job.planned.run.name for job in first] == ["few"]
    assert "base" in first[0].only
    assert [job.name for job in second] == ["few", "more"]


def test_every_script_passes_shellcheck(tmp_path: Path) -> None:
    sweep = small("cluster.slurm.container=registry#image:1")
    scripts = sweep_scripts(sweep, plan(sweep), tmp_path)
    for name, script in scripts.items():
        (tmp_path / name).write_text(script)
    files = [str(tmp_path / name) for name in scripts]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("shellcheck")), *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "#SBATCH --array=0-1\n" in scripts["small-2"] and "--gpus-per-node=8\n" in scripts["small-2"]


def test_a_run_that_needs_several_machines_is_refused(tmp_path: Path) -> None:
    sweep = small("cluster.processes=2", "cluster.tensor_parallel=2", "cluster.devices_per_node=1")
    with pytest.raises(UsageError, match="2 processes don't fit a node of 1"):
        sweep_scripts(sweep, plan(sweep), tmp_path)
