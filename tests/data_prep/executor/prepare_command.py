"""`prism`, with several units to the few megabytes of a test: python prepare_command.py ARGUMENTS ..."""

from __future__ import annotations

import signal

from data_prep.executor import slurm
from data_prep.read import units
from prism.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    units.LEAST_BYTES = 1 << 19
    slurm._GRACE_S = 1.0
    main()
