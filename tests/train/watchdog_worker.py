"""A rank of a made-up stage whose second rank hangs in step 3: watchdog_worker.py ROOT sleep|stop MINUTES

RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT come from whoever starts it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

from prism.megatron.parallel import Layout, process_groups
from prism.recipe.schema.operation import OperationConfig
from prism.train.watchdog import Watchdog
from tests.train.standing_in import stage_in

STEPS = 4
HANGS_AT = 3


def sleeps_forever() -> None:
    time.sleep(3_600)


def stopped_by_somebody() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def main() -> None:
    root, how, minutes = sys.argv[1:]
    stage = stage_in(Path(root))
    with process_groups(Layout(), seed=1):
        watchdog = Watchdog(OperationConfig(hang_minutes=float(minutes)))
        watchdog.begin(stage, 0)
        for step in range(1, STEPS + 1):
            watchdog.before_step(step)
            if step == HANGS_AT and dist.get_rank() == 1:
                {"sleep": sleeps_forever, "stop": stopped_by_somebody}[how]()
            dist.all_reduce(torch.ones(1))
            watchdog.after_step(step, {})
        watchdog.end()


if __name__ == "__main__":
    main()
