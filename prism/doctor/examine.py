"""All checks in turn."""

from __future__ import annotations

from prism.doctor.device import device
from prism.doctor.disk import disk
from prism.doctor.kernels import kernels
from prism.doctor.machine import Machine
from prism.doctor.needs import Needs
from prism.doctor.packages import packages
from prism.doctor.row import Row, held_to
from prism.doctor.sandbox import sandbox
from prism.doctor.scheduler import scheduler
from prism.doctor.system import system


def examine(machine: Machine, needs: Needs, *, quick: bool = False) -> list[Row]:
    """A row a check, what is needed and isn't usable failing. `quick` neither runs kernels nor writes to the disk.

    Raises:
        UsageError: `needs` names a row that there isn't.
    """
    rows = [
        *packages(machine),
        *device(machine),
        *kernels(machine, run=not quick),
        *system(machine),
        sandbox(machine),
        *disk(machine, needs.checkpoint_bytes, speed=not quick),
        *scheduler(machine, needs.partition),
    ]
    return held_to(rows, needs.rows)
