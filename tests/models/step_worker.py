"""One training step of tiny models under a layout: step_worker.py ROOT OUT TENSOR CONTEXT [NAME ...]"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from prism.megatron import checkpoint
from prism.megatron.blend import SourceBatch
from prism.megatron.parallel import Layout, is_first_rank, process_groups
from prism.megatron.trainee import Trainee
from prism.models.family import identify
from prism.recipe import OptimizerConfig
from prism.train.loss import REPORT, NextTokenLoss
from tests.models.tiny import VOCABULARY

STEPS = 3


def train(root: Path, name: str, layout: Layout) -> list[tuple[float, float]]:
    """Loss and grad norm of each step."""
    trainee = Trainee(identify(root / name), VOCABULARY, layout, OptimizerConfig(learning_rate=1e-3))
    trainee.load_weights(checkpoint.require_latest(root / f"{name}.megatron"))
    generator = torch.Generator().manual_seed(5)
    found = []
    for _ in range(STEPS):
        tokens = torch.randint(0, VOCABULARY, (2, 49), generator=generator)
        inputs, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        batch = SourceBatch.whole(inputs, labels, torch.zeros(2, dtype=torch.long))
        result = trainee.step([batch], NextTokenLoss(1), 1e-3, REPORT)
        loss = float(result.sums["loss_sum"].sum() / result.sums["tokens"].sum())
        found.append((loss, result.grad_norm))
    return found


def main() -> None:
    root, out, tensor, context, *names = sys.argv[1:]
    layout = Layout(tensor=int(tensor), context=int(context))
    with process_groups(layout, seed=1):
        found = {name: train(Path(root), name, layout) for name in names}
        if is_first_rank():
            Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
