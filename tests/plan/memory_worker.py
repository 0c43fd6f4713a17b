"""Trains cases and counts the storages that live: memory_worker.py OUT KEY ..., on ranks.

Every case named that is for as many processes as there are gets a second step under `Recorder`; OUT/N.json gets what
each rank held.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from prism.megatron.backend import install

install()

from prism.megatron.blend import SourceBatch  # noqa: E402
from prism.megatron.census_record import Recorder  # noqa: E402
from prism.megatron.layout import layout_of  # noqa: E402
from prism.megatron.parallel import model_parallel_groups  # noqa: E402
from prism.megatron.trainee import Trainee  # noqa: E402
from prism.recipe import ClusterConfig, OptimizerConfig, load_recipe  # noqa: E402
from prism.train.loss import REPORT, NextTokenLoss  # noqa: E402
from tests.plan.memory_cases import CASES, LENGTH, VOCABULARY, Case  # noqa: E402


def batches(case: Case) -> list[SourceBatch]:
    rows = case.micro_batch_size
    return [
        SourceBatch(
            tokens=torch.randint(VOCABULARY, (rows, LENGTH)),
            labels=torch.randint(VOCABULARY, (rows, LENGTH)),
            sources=torch.zeros(rows, dtype=torch.long),
            mask=None,
            labels_a_batch=float(rows * LENGTH),
            ends=None,
        )
        for _ in range(case.micro_batches)
    ]


def bytes_of(tensors: list[Tensor]) -> int:
    """Of their storages, each counted once."""
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())


def measure(case: Case) -> dict[str, Any]:
    layout = layout_of(ClusterConfig.model_validate(case.sections))
    model = load_recipe(case.recipe).model
    with model_parallel_groups(layout, seed=1):
        trainee = Trainee(model, VOCABULARY, layout, OptimizerConfig(), case.precision)
        trainee.initialise(seed=1)
        loss = NextTokenLoss(1)
        trainee.step(batches(case), loss, 1e-3, REPORT)
        taken = batches(case)
        gc.collect()
        recorder = Recorder()
        with recorder:
            trainee.step(taken, loss, 1e-3, REPORT)
        weights = [one for chunk in trainee.chunks for one in chunk.parameters()]
        gradients = [buffer.grad_data for chunk in trainee.chunks for buffer in chunk.buffers]
        places = {one.untyped_storage().data_ptr() for one in [*weights, *gradients]}
        state = [
            tensor
            for part in trainee.optimizer.chained_optimizers
            for group in part.optimizer.param_groups
            for parameter in group["params"]
            for tensor in (parameter, *part.optimizer.state[parameter].values())
            if tensor.ndim and tensor.untyped_storage().data_ptr() not in places
        ]
        return {
            "parameters": sum(one.numel() for one in weights),
            "weights": bytes_of(weights),
            "gradients": bytes_of(gradients),
            "optimizer": bytes_of(state),
            "activations": recorder.peak_bytes,
        }


def main(out: Path, keys: Sequence[str]) -> None:
    torch.set_num_threads(1)
    alone = {} if "RANK" in os.environ else {"store": dist.HashStore(), "rank": 0, "world_size": 1}
    dist.init_process_group("gloo", **alone)
    found: dict[str, list[Any]] = {}
    for key in keys:
        case = CASES[key]
        if case.processes != dist.get_world_size():
            continue
        everyone: list[Any] = [None] * case.processes
        dist.all_gather_object(everyone, measure(case))
        found[key] = everyone
        gc.collect()
    if dist.get_rank() == 0:
        (out / f"{dist.get_world_size()}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
