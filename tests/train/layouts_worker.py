"""Runs one stage under layout after layout, two ranks each: layouts_worker.py RECIPE STAGE ROOT [KEY=VALUE ...]

ROOT holds a copy of the run for each layout, under the layout's name. Ranks are forks of a server that has imported the
engine once, and find each other as torchrun's do.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

TWO_RANKS = {
    "TP2": ["cluster.tensor_parallel=2"],
    "PP2": ["cluster.pipeline_parallel=2"],
    "DP2": [],
    "CP2": ["cluster.context_parallel=2"],
}


def rank(number: int, port: int, recipe: str, stage: str, overrides: Sequence[str]) -> None:
    from prism.recipe import load_recipe
    from prism.train.stage import run_training

    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}
    os.environ |= {"MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    run_training(load_recipe(recipe, overrides), stage)


def main() -> None:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    recipe, stage, root, *overrides = sys.argv[1:]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prism.train.stage", "prism.megatron.hybrid"])
    for layout, keys in TWO_RANKS.items():
        store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=120))
        moved = [*overrides, f"run.directory={root}", f"run.name={layout}", "cluster.processes=2", *keys]
        ranks = [context.Process(target=rank, args=(number, store.port, recipe, stage, moved)) for number in range(2)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        if any(process.exitcode for process in ranks):
            sys.exit(f"{layout} failed: exit codes {[process.exitcode for process in ranks]}")


if __name__ == "__main__":
    main()
