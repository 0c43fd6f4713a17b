"""Trains cases of the equality matrix: equality_worker.py ROOT KEY ...

Ranks are forks of a server that has imported the engine once, started once for each number of processes; inside, one
layout follows another. Every case begins from the checkpoint that one process wrote. Losses and grad norms go to
ROOT/N.json, N the number of processes.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.megatron.equality_cases import CASES, GLOBAL, LENGTH, MODELS, REFERENCES, STEPS, VOCABULARY, Case, Leg

if TYPE_CHECKING:
    from torch import Tensor

    from prism.megatron.blend import SourceBatch
    from prism.megatron.trainee import Trainee

_ENDS = ((LENGTH,), (5, 30, LENGTH), (17, 18, 40, LENGTH), (24, LENGTH))
"""Where documents of packed rows end, row by row."""


def batches(leg: Leg, packed: bool, step: int, replica: int) -> list[SourceBatch]:
    """A replica's micro batches of a global batch; the rows are the same for every case with the same packing."""
    import torch

    from prism.megatron.blend import SourceBatch

    generator = torch.Generator().manual_seed(step)
    rows = torch.randint(VOCABULARY, (GLOBAL, 1), generator=generator) + 7 * torch.arange(LENGTH + 1)
    noise = torch.randint(VOCABULARY, rows.shape, generator=generator)
    rows = torch.where(torch.rand(rows.shape, generator=generator) < 0.2, noise, rows) % VOCABULARY
    counts = torch.rand(GLOBAL, LENGTH, generator=generator) < (0.9 if packed else 1.0)
    found = []
    for first in range(replica * leg.micro, GLOBAL, leg.data * leg.micro):
        part = slice(first, first + leg.micro)
        found.append(
            SourceBatch(
                tokens=rows[part, :-1].contiguous(),
                labels=rows[part, 1:].contiguous(),
                sources=torch.zeros(leg.micro, dtype=torch.long),
                mask=counts[part] if packed else None,
                labels_a_batch=float(counts.sum()) * leg.micro / GLOBAL,
                ends=_ENDS[first % len(_ENDS)] if packed else None,
            )
        )
    return found


def train(case: Case, root: Path) -> dict[str, Any]:
    """Loss and grad norm of each step; at the end which weights have changed, and the loss of three rows."""
    steps: list[tuple[float, float]] = []
    end: dict[str, Any] = {}
    for number, leg in enumerate(case.legs):
        steps += _train_leg(case, number, leg, root, len(steps), end)
        _end_groups()
    return {"steps": steps, **end}


def _train_leg(
    case: Case, number: int, leg: Leg, root: Path, done: int, end: dict[str, Any]
) -> list[tuple[float, float]]:
    from prism.megatron import checkpoint
    from prism.megatron.parallel import data_parallel_rank, model_parallel_groups, sum_over_data_parallel
    from prism.megatron.trainee import Trainee
    from prism.recipe import OptimizerConfig
    from prism.train.loss import REPORT, NextTokenLoss

    own = root / case.key.replace(" ", "_").replace(">", "to")
    with model_parallel_groups(leg.layout, seed=1):
        trainee = Trainee(MODELS[case.model], VOCABULARY, leg.layout, OptimizerConfig(), case.precision, case.trainable)
        if number == 0:
            trainee.load_weights(checkpoint.require_latest(root / case.model))
        else:
            trainee.resume(checkpoint.require_latest(own))
        before = {name: tensor.clone() for name, tensor in _weights(trainee).items()}
        found = []
        last = done + STEPS // len(case.legs)
        for step in range(done, last):
            taken = batches(leg, case.packed, step, data_parallel_rank())
            if case.broken and step == STEPS // 2:
                assert trainee.step(taken, _broken, 1e-3, REPORT).skipped
            result = trainee.step(taken, NextTokenLoss(1), 1e-3, REPORT)
            nats, labels = (sum_over_data_parallel(result.sums[name].sum()) for name in ("loss_sum", "tokens"))
            found.append((float(nats / labels), result.grad_norm))
        if last < STEPS:
            trainee.save(own, last, {})
        else:
            sums = trainee.evaluate(batches(Leg(leg.layout, 1, 1), case.packed, 0, 0)[:3], NextTokenLoss(1), REPORT)
            end["changed"] = _changed(trainee, before)
            end["evaluated"] = float(sums["loss_sum"].sum() / sums["tokens"].sum())
        return found


def _broken(losses: Tensor, batch: SourceBatch) -> tuple[Tensor, dict[str, Tensor]]:
    from prism.megatron.parallel import data_parallel_rank
    from prism.train.loss import NextTokenLoss

    value, sums = NextTokenLoss(1)(losses, batch)
    return value * (float("nan") if data_parallel_rank() == 0 else 1.0), sums


def _end_groups() -> None:
    """Ends the groups that megatron-core made, with their threads; it only forgets them itself."""
    import torch.distributed as dist

    gc.collect()  # models and optimizers hold groups, in cycles
    for group in list(dist.distributed_c10d._world.pg_map):
        if group is not dist.group.WORLD:
            dist.destroy_process_group(group)


def _weights(trainee: Trainee) -> dict[str, Tensor]:
    """This rank's weights by their checkpoint keys, layers apart."""
    from prism.megatron import checkpoint
    from prism.megatron.initialise import sharded_tensors

    parts = [
        part for chunk in trainee.chunks for part in sharded_tensors(checkpoint.unwrap(chunk).sharded_state_dict())
    ]
    return {f"{part.key}@{part.global_offset[: part.prepend_axis_num]}": part.data for part in parts}


def _changed(trainee: Trainee, before: Mapping[str, Tensor]) -> list[str]:
    """Keys of all ranks' weights that aren't what they were."""
    import torch.distributed as dist

    own = sorted(name for name, tensor in _weights(trainee).items() if not tensor.equal(before[name]))
    names: list[list[str]] = [[]] * dist.get_world_size()
    dist.all_gather_object(names, own)
    return sorted({name.partition("@")[0] for part in names for name in part})


def rank(number: int, processes: int, port: int, root: Path, keys: Sequence[str]) -> None:
    import torch
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    torch.set_num_threads(1)
    store = TCPStore("localhost", port, is_master=False)
    torch.distributed.init_process_group("gloo", store=store, rank=number, world_size=processes)
    if processes == 1:
        _write_starts(root)
    found = {}
    for key in keys:
        began = time.monotonic()
        found[key] = train({**REFERENCES, **CASES}[key], root)
        print(f"{key}: {time.monotonic() - began:.1f} s", flush=True)
    if number == 0:
        (root / f"{processes}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def _write_starts(root: Path) -> None:
    """The step-0 checkpoint of each model, at the simplest layout."""
    from prism.megatron.parallel import Layout, model_parallel_groups
    from prism.megatron.trainee import Trainee
    from prism.recipe import OptimizerConfig

    for name, model in MODELS.items():
        with model_parallel_groups(Layout(), seed=1):
            trainee = Trainee(model, VOCABULARY, Layout(), OptimizerConfig())
            trainee.initialise(seed=7)
            trainee.save(root / name, 0, {})


def main() -> None:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    root, *keys = sys.argv[1:]
    wanted = [CASES[key] for key in keys]
    chosen = [*(REFERENCES[key] for key in dict.fromkeys(case.reference for case in wanted)), *wanted]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prism.train.stage", "prism.megatron.hybrid"])
    for processes in sorted({case.processes for case in chosen}):
        store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=120))
        own = [case.key for case in chosen if case.processes == processes]
        ranks = [
            context.Process(target=rank, args=(number, processes, store.port, Path(root), own))
            for number in range(processes)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        if any(process.exitcode for process in ranks):
            sys.exit(f"{processes} processes failed: exit codes {[process.exitcode for process in ranks]}")


if __name__ == "__main__":
    main()
