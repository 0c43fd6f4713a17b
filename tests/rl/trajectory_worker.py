"""Trains a few steps and keeps a trajectory, in every layout that its processes can hold: trajectory_worker.py ROOT.

Of each job ROOT/<job> gets `trajectory/` and `truth/<step>.safetensors`: bf16 of what a checkpoint of that step holds.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from prism.errors import PrismError
from prism.formats import sparse_difference
from prism.formats.torch_dist import TorchDist
from prism.megatron import checkpoint
from prism.megatron.checkpoint import Checkpoint
from prism.megatron.checkpoint.ranks import from_all_ranks
from prism.megatron.parallel import Layout, is_first_rank, model_parallel_groups
from prism.megatron.trainee import Trainee
from prism.models.family import family_of
from prism.models.storage import to_hf
from prism.recipe.schema.trajectory import TrajectoryConfig
from prism.rl.trajectory import Trajectory
from prism.train.loss import REPORT, NextTokenLoss
from tests.megatron.checkpoint_worker import VOCABULARY, batches, make

STEPS, KEPT = 5, (2, 3, 4)
CONFIG = TrajectoryConfig(steps=[3], every_steps=2)
JOBS: dict[int, dict[str, tuple[str, Layout, str]]] = {
    1: {"dense alone": ("dense", Layout(), "fp32"), "hybrid alone": ("hybrid", Layout(), "fp32")},
    2: {
        "dense TP2": ("dense", Layout(tensor=2), "fp32"),
        "dense PP2 VP2": ("dense", Layout(pipeline=2, virtual=2), "fp32"),
        "dense DP2, bf16": ("dense", Layout(), "bf16"),
        "hybrid TP2": ("hybrid", Layout(tensor=2, sequence_parallel=True), "fp32"),
    },
}
FAMILIES = {"dense": "llama", "hybrid": "nemotron_h"}


def trainee_of(name: str, layout: Layout, precision: str) -> Trainee:
    trainee = make(name, layout, precision)
    trainee.model = trainee.model.model_copy(update={"family": FAMILIES[name]})
    return trainee


def train(trainee: Trainee, step: int) -> None:
    trainee.step(batches(step), NextTokenLoss(1), 3e-5, REPORT)


def keep(root: Path, job: str, parent: Checkpoint, name: str, layout: Layout, precision: str) -> None:
    """Trains with a stop after step 3: begins again from the checkpoint of step 2 and replays."""
    folder = root / job
    trainee = trainee_of(name, layout, precision)
    trainee.load_weights(parent)
    trajectory = Trajectory(folder / "trajectory", CONFIG, parent)
    trajectory.begin(trainee)
    for step in (1, 2, 3):
        train(trainee, step)
        trajectory.after_step(trainee, step)
        if step == 2:
            saved = trainee.save(folder / "checkpoints", step, {})
    before = (folder / "trajectory" / "step_00000003.json").stat().st_mtime_ns
    resumed = trainee_of(name, layout, precision)
    resumed.resume(saved)
    trajectory = Trajectory(folder / "trajectory", CONFIG, parent)
    trajectory.begin(resumed)
    for step in range(3, STEPS + 1):
        train(resumed, step)
        trajectory.after_step(resumed, step)
        truth(resumed.save(folder / "checkpoints", step, {}), resumed, folder)
    truth(saved, resumed, folder)
    assert (folder / "trajectory" / "step_00000003.json").stat().st_mtime_ns == before  # nothing is written twice


def truth(saved: Checkpoint, trainee: Trainee, folder: Path) -> None:
    if not is_first_rank():
        return
    sized = trainee.model.model_copy(update={"vocab_size": VOCABULARY})
    stored = TorchDist(saved.path)
    tensors = to_hf(stored, list(family_of(sized).weight_map(sized, VOCABULARY)), sized)
    (folder / "truth").mkdir(exist_ok=True)
    found = {tensor.name: tensor.read().bfloat16().contiguous() for tensor in tensors}
    save_file(found, folder / "truth" / f"{saved.step}.safetensors")


def fail(root: Path, parent: Checkpoint) -> None:
    """The first rank's disk is full at step 2; then another parent comes. Every rank notes which errors it saw."""
    seen = []
    trainee = trainee_of("dense", Layout(pipeline=2), "fp32")
    trainee.load_weights(parent)
    trajectory = Trajectory(root / "fails" / "trajectory", CONFIG, parent)
    trajectory.begin(trainee)
    add = sparse_difference.DifferenceWriter.add

    def full(self: object, name: str, old: torch.Tensor, new: torch.Tensor) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    sparse_difference.DifferenceWriter.add = full  # type: ignore[method-assign,assignment]
    other = trainee.save(root / "fails" / "checkpoints", 9, {})
    for work in (
        lambda: trajectory.after_step(trainee, 2),
        lambda: Trajectory(root / "fails" / "trajectory", CONFIG, other).begin(trainee),
    ):
        try:
            work()
            seen.append("nothing")
        except PrismError as error:
            seen.append(f"{type(error).__name__}: {error.message}")
        sparse_difference.DifferenceWriter.add = add  # type: ignore[method-assign]
    trajectory.after_step(trainee, 2)  # there is room now
    for rank, found in enumerate(from_all_ranks(seen)):
        (root / "fails" / f"{rank}.txt").write_text("\n".join(found))


def main() -> None:
    root = Path(sys.argv[1])
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(1)
    store = dist.HashStore() if processes == 1 else None  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=0 if store else -1, world_size=processes if store else -1)
    for job, (name, layout, precision) in JOBS[processes].items():
        with model_parallel_groups(layout, seed=1):
            if processes == 1:
                trainee = trainee_of(name, layout, precision)
                trainee.initialise(seed=7)
                trainee.save(root / name, 0, {})
            keep(root, job, checkpoint.require_latest(root / name), name, layout, precision)
    if processes > 1:
        with model_parallel_groups(Layout(pipeline=2), seed=1):
            fail(root, checkpoint.require_latest(root / "dense"))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
