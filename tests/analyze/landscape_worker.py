"""A landscape on the ranks of one model that is spread: landscape_worker.py CHAIN OUT TASK TENSOR PIPELINE."""

from __future__ import annotations

import sys
from pathlib import Path

from prism.analyze.landscape import Grid, asked_task, run_landscape
from prism.evaluate.named import named_model
from prism.megatron.parallel import Layout, process_groups


def main() -> None:
    chain, out, task, tensor, pipeline = sys.argv[1:]
    layout, names = Layout(tensor=int(tensor), pipeline=int(pipeline)), ("base", "mid", "rl")
    with process_groups(layout, seed=1):
        subjects = [named_model(str(Path(chain) / name), layout=layout).open(Path(out) / "weights") for name in names]
        run_landscape(
            subjects, names, asked_task(str(Path(chain) / task), 200, None), Grid(2), Path(out) / "landscape.json"
        )


if __name__ == "__main__":
    main()
