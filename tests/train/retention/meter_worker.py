"""Scores of a tiny model under layouts of two ranks: meter_worker.py ROOT

ROOT/weights holds the model, ROOT/LAYOUT.json gets the scores under each layout.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch.distributed as dist

from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, is_first_rank, model_parallel_groups
from prism.megatron.trainee import Trainee
from prism.recipe import OptimizerConfig, load_recipe
from prism.train.held_out import Passage
from prism.train.retention.measures import ChoiceItems, Measure, TextItems
from prism.train.retention.meter import Meter

VOCABULARY, LENGTH = 96, 32
LAYOUTS = {
    "TP2": Layout(tensor=2),
    "TP2+SP": Layout(tensor=2, sequence_parallel=True),
    "PP2": Layout(pipeline=2),
    "PP2+VP2": Layout(pipeline=2, virtual=2),
    "CP2": Layout(context=2),
    "DP2": Layout(),
}


def measures() -> dict[str, Measure]:
    """Documents of 1 to 30 tokens, and questions of three options."""
    documents = [Passage(_tokens(number, 2 + number % 30), 1 + number % 30, number) for number in range(70)]
    options = [Passage(_tokens(number, 9), 1 + number % 3, number) for number in range(180)]
    return {
        "text": TextItems(documents, 1_000.0, 2.0, 0.0),
        "choice": ChoiceItems(options, [3] * 60, [number % 3 for number in range(60)], False, 2.0, 0.0),
    }


def _tokens(seed: int, length: int) -> list[int]:
    return [(seed * 31 + place * place * 7) % VOCABULARY for place in range(length)]


def scores(layout: Layout, weights: Path | None, save_to: Path | None = None) -> dict[str, list[float]]:
    """Every measure's scores under weights of before, or fresh ones that are saved."""
    recipe = load_recipe("miniature")
    trainee = Trainee(recipe.model, VOCABULARY, layout, OptimizerConfig())
    if weights is None:
        trainee.initialise(1)
    else:
        trainee.load_weights(checkpoint.require_latest(weights))
    if save_to is not None:
        trainee.save(save_to, 1, {})
    found = Meter(measures(), 4 * LENGTH, LENGTH, layout).scores(trainee)
    return {name: values.tolist() for name, values in found.items()}


def main() -> None:
    root = Path(sys.argv[1])
    dist.init_process_group("gloo")
    for name, layout in LAYOUTS.items():
        with model_parallel_groups(layout, seed=1):
            found = scores(layout, root / "weights")
            if is_first_rank():
                (root / f"{name}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
