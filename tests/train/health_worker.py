"""Two ranks compare their speed; the second waits for data: health_worker.py OUT"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist

from prism.megatron.parallel import Layout, process_groups
from prism.recipe.schema.operation import OperationConfig
from prism.train.health import Health
from tests.train.standing_in import stage_in

STEPS = 6
EVERY = 2


def main() -> None:
    out = Path(sys.argv[1])
    with process_groups(Layout(), seed=1):
        rank = dist.get_rank()
        # So large a factor that only the made-up wait can exceed it, however busy the machine is.
        health = Health(OperationConfig(straggler_every_steps=EVERY, straggler_factor=20.0))
        health.begin(stage_in(out.parent), 0)
        rows: list[dict[str, Any]] = []
        for step in range(1, STEPS + 1):
            wait = 0.9 if rank == 1 else 0.0
            row: dict[str, Any] = {"step": step, "loss": 3.0, "timing": {"seconds": 2.0, "data_wait": wait}}
            health.after_step(step, row)
            rows.append({key: value for key, value in row["timing"].items() if key == "slow_ranks"})
        every: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(every, rows)
        if rank == 0:
            out.write_text(json.dumps(every))


if __name__ == "__main__":
    main()
