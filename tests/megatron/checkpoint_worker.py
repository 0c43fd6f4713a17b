"""Saves and resumes at several layouts: checkpoint_worker.py ROOT.

First one process, then two, then one again. In each phase every job runs in groups of its own; what it found goes to
ROOT/N.json, N the phase.
"""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.megatron.parallel import Layout
from prism.recipe import CheckpointConfig, ModelConfig
from prism.recipe.schema.model import MambaConfig

if TYPE_CHECKING:
    from prism.megatron.blend import SourceBatch
    from prism.megatron.trainee import Trainee

_COMMON = {"num_layers": 4, "hidden_size": 32, "num_attention_heads": 4, "num_query_groups": 2}
MODELS = {
    "dense": ModelConfig(**_COMMON, ffn_hidden_size=64, tie_embeddings=True),
    "hybrid": ModelConfig(
        **_COMMON,
        ffn_hidden_size=48,
        activation="squared_relu",
        hybrid_pattern="M-*M",
        mamba=MambaConfig(inner_size=64, state_dim=8, head_dim=8, num_groups=2, chunk_size=16),
    ),
}
VOCABULARY, ROWS, LENGTH = 99, 4, 24
STEPS = 3
"""Before the save, and again after it."""
SETTINGS = CheckpointConfig(keep_last=5)
SOURCES = {
    "TP2": ("dense", Layout(tensor=2), "fp32"),
    "TP2, hybrid": ("hybrid", Layout(tensor=2, sequence_parallel=True), "fp32"),
    "DP2 distributed": ("dense", Layout(), "fp32"),
    "DP2 distributed, hybrid": ("hybrid", Layout(), "fp32"),
    "DP2 distributed, bf16": ("dense", Layout(), "bf16"),
    "DP2 whole": ("dense", Layout(distributed_optimizer=False), "fp32"),
    "PP2 VP2": ("dense", Layout(pipeline=2, virtual=2), "fp32"),
}
"""What two processes save and one resumes: model, layout, precision."""


def make(model: str, layout: Layout, precision: str) -> Trainee:
    from prism.megatron.trainee import Trainee
    from prism.recipe import OptimizerConfig

    return Trainee(MODELS[model], VOCABULARY, layout, OptimizerConfig(), precision)


def batches(step: int) -> list[SourceBatch]:
    """This replica's micro batches, of one row each, of a global batch that is the same at every layout."""
    import torch

    from prism.megatron.blend import SourceBatch
    from prism.megatron.parallel import data_parallel_rank, data_parallel_size

    rows = torch.randint(VOCABULARY, (ROWS, LENGTH + 1), generator=torch.Generator().manual_seed(step))
    own = rows[data_parallel_rank() :: data_parallel_size()]
    return [
        SourceBatch.whole(row[None, :-1].contiguous(), row[None, 1:].contiguous(), torch.zeros(1, dtype=torch.long))
        for row in own
    ]


def train(trainee: Trainee, first: int) -> list[float]:
    """Losses of the steps from `first` on."""
    from prism.megatron.parallel import sum_over_data_parallel
    from prism.train.loss import REPORT, NextTokenLoss

    found = []
    for step in range(first, first + STEPS):
        result = trainee.step(batches(step), NextTokenLoss(1), 1e-3, REPORT)
        nats, labels = (sum_over_data_parallel(result.sums[name].sum()) for name in ("loss_sum", "tokens"))
        found.append(float(nats / labels))
    return found


def save_and_go_on(root: Path, name: str) -> list[float]:
    """Trains, saves beside the next steps, and says what they lost."""
    from prism.megatron.checkpoint import Saver

    model, layout, precision = SOURCES.get(name, (name, Layout(), "fp32"))
    trainee = make(model, layout, precision)
    if name in MODELS:
        trainee.initialise(seed=7)
    else:
        from prism.megatron import checkpoint

        trainee.load_weights(checkpoint.require_latest(root / model))
    train(trainee, 0)
    saver = Saver(root / name, SETTINGS)
    saver.save(trainee.chunks, trainee.optimizer, STEPS, {"tokens": 7})
    losses = train(trainee, STEPS)
    saver.close()
    return losses


def resume(root: Path, name: str, layout: Layout) -> list[float]:
    """What the steps after a checkpoint lose at a layout of its own."""
    from prism.megatron import checkpoint

    model, _, precision = SOURCES.get(name, (name, layout, "fp32"))
    trainee = make(model, layout, precision)
    trainee.resume(checkpoint.require_latest(root / name))
    return train(trainee, STEPS)


def agree_on_damage(root: Path) -> list[int]:
    """Both ranks skip a checkpoint of which each sees another file."""
    from prism.megatron import checkpoint
    from prism.megatron.checkpoint.ranks import from_all_ranks
    from tests.megatron.stored import flip

    trainee = make("dense", Layout(), "fp32")
    for step in (1, 2, 3):
        trainee.save(root / "damaged", step, {})
    if os.environ["RANK"] == "0":
        flip("rng_00001.safetensors", 0.5)(root / "damaged" / "step_00000003")
        flip("__1_0.distcp", 0.5)(root / "damaged" / "step_00000002")
    checkpoint.ranks.from_all_ranks(None)  # type: ignore[attr-defined]  # both see the damage
    return from_all_ranks(checkpoint.require_latest(root / "damaged").step)


def full_disk_on_one_rank(root: Path) -> dict[str, Any]:
    """The second rank's disk is full while step 2 is written, and again while step 4 is."""
    from prism.errors import ResourcesExhausted
    from prism.megatron import checkpoint
    from prism.megatron.checkpoint import writing
    from prism.megatron.checkpoint.ranks import from_all_ranks

    trainee = make("dense", Layout(), "fp32")
    trainee.initialise(seed=7)
    saver, write = checkpoint.Saver(root / "full", CheckpointConfig(keep_last=1)), writing.write_summed

    def full(path: Path, content: bytes) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    there = []
    for step in (1, 2, 3):
        writing.write_summed = full if step == 2 and os.environ["RANK"] == "1" else write
        saver.save(trainee.chunks, trainee.optimizer, step, {})
        train(trainee, step)
        while saver.pending:
            saver.poll()
        from_all_ranks(None)
        there.append(sorted(path.name for path in (root / "full").iterdir()))
    writing.write_summed = full if os.environ["RANK"] == "1" else write
    code = 0
    try:
        saver.save(trainee.chunks, trainee.optimizer, 4, {}, wait=True)
    except ResourcesExhausted as error:
        code = error.exit_code
    writing.write_summed = write
    saver.close()
    return {"there": there, "codes": from_all_ranks(code)}


Job = Callable[[Path], Any]
PHASES: list[tuple[int, dict[str, tuple[Layout, Job]]]] = [
    (1, {name: (Layout(), lambda root, name=name: save_and_go_on(root, name)) for name in MODELS}),
    (
        2,
        {
            **{name: (found[1], lambda root, name=name: save_and_go_on(root, name)) for name, found in SOURCES.items()},
            "dense at DP2 distributed": (Layout(), lambda root: resume(root, "dense", Layout())),
            "hybrid at TP2": (Layout(tensor=2), lambda root: resume(root, "hybrid", Layout(tensor=2))),
            "dense at PP2 VP2": (
                Layout(pipeline=2, virtual=2),
                lambda root: resume(root, "dense", Layout(pipeline=2, virtual=2)),
            ),
            "damage": (Layout(), agree_on_damage),
            "full disk": (Layout(), full_disk_on_one_rank),
        },
    ),
    (1, {name: (Layout(), lambda root, name=name: resume(root, name, Layout())) for name in (*MODELS, *SOURCES)}),
]


def rank(number: int, phase: int, port: int, root: Path) -> None:
    import torch
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    from prism.megatron.parallel import model_parallel_groups

    logging.basicConfig(level=logging.WARNING)
    processes, jobs = PHASES[phase]
    os.environ["RANK"] = str(number)
    torch.set_num_threads(1)
    store = TCPStore("localhost", port, is_master=False)
    torch.distributed.init_process_group("gloo", store=store, rank=number, world_size=processes)
    found = {}
    for name, (layout, job) in jobs.items():
        with model_parallel_groups(layout, seed=1):
            found[name] = job(root)
    if number == 0:
        (root / f"{phase}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def main() -> None:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    root = Path(sys.argv[1])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prism.train.stage", "prism.megatron.hybrid"])
    for phase, (processes, _) in enumerate(PHASES):
        store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=120))
        ranks = [context.Process(target=rank, args=(number, phase, store.port, root)) for number in range(processes)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        if any(process.exitcode for process in ranks):
            sys.exit(f"phase {phase} failed: exit codes {[process.exitcode for process in ranks]}")


if __name__ == "__main__":
    main()
