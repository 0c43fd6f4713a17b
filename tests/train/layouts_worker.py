"""Runs one stage under layout after layout in the same ranks: layouts_worker.py RECIPE STAGE ROOT [KEY=VALUE ...]

ROOT holds a copy of the run for each layout, under the layout's name.
"""

from __future__ import annotations

import sys

from prism.recipe import load_recipe
from prism.train.stage import run_training

TWO_RANKS = {
    "TP2": ["cluster.tensor_parallel=2"],
    "PP2": ["cluster.pipeline_parallel=2"],
    "DP2": [],
    "CP2": ["cluster.context_parallel=2"],
}


def main() -> None:
    name, stage, root, *overrides = sys.argv[1:]
    for layout, keys in TWO_RANKS.items():
        moved = [f"run.directory={root}", f"run.name={layout}", "cluster.processes=2"]
        run_training(load_recipe(name, [*overrides, *moved, *keys]), stage)


if __name__ == "__main__":
    main()
