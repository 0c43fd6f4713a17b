"""`prism`, with several units to the few megabytes of a test: python prepare_command.py ARGUMENTS ..."""

from __future__ import annotations

from data_prep.executor import slurm
from data_prep.read import units
from prism.cli import main

if __name__ == "__main__":
    units.LEAST_BYTES = 1 << 19
    slurm._GRACE_S = 1.0
    main()
