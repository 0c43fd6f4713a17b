"""A process that srun started finds its place the way torchrun's do."""

from __future__ import annotations

import os

_NAMES = {
    "RANK": "SLURM_PROCID",
    "LOCAL_RANK": "SLURM_LOCALID",
    "WORLD_SIZE": "SLURM_STEP_NUM_TASKS",
    "LOCAL_WORLD_SIZE": "SLURM_NTASKS_PER_NODE",
}


def rank_from_slurm() -> None:
    """Sets torchrun's variables from Slurm's where the job's script says so (PRISM_RANKS=slurm); a lone process is
    left alone.
    """
    if os.environ.get("PRISM_RANKS") != "slurm" or os.environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        return
    os.environ.update({name: os.environ[source] for name, source in _NAMES.items() if source in os.environ})
