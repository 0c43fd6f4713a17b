"""Weights kept along an RL stage for analysis (section 10 of the paper), as differences from where it started."""

from __future__ import annotations

import errno
import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.errors import BadInput, PrismError, ResourcesExhausted
from prism.formats.hf_folder import HfFolder
from prism.formats.sparse_difference import (
    as_bf16,
    difference_writer,
    load_start,
    load_step,
    start_tensors,
    write_start_folder,
)
from prism.formats.torch_dist import TorchDist
from prism.formats.trajectory_manifest import Start, has_start, read_start, read_step, saved, steps
from prism.generate.weight_sync.gather import WeightGatherer
from prism.megatron.checkpoint import Checkpoint
from prism.megatron.checkpoint.ranks import first_ranks, is_first
from prism.models.convert import default_workers
from prism.models.family import family_of
from prism.models.storage import check_megatron, to_hf

if TYPE_CHECKING:
    from prism.megatron.trainee import Trainee
    from prism.recipe.schema.trajectory import TrajectoryConfig

__all__ = ["Trajectory", "load_start", "load_step", "saved", "steps"]

log = logging.getLogger("prism.rl")
_BUCKET_BYTES = 64 << 20
"""Of weights that are gathered at a time."""


class Trajectory:
    """Keeps the weights after the steps that the recipe names. All ranks hold one and call its methods together.

    Args:
        folder: of the trajectory, such as the stage's `trajectory`; the first rank writes there.
        parent: the checkpoint that the stage started from, also where it is resumed now.
    """

    def __init__(self, folder: Path, config: TrajectoryConfig, parent: Checkpoint) -> None:
        self._folder = folder
        self._config = config
        self._parent = parent
        self._gatherer: WeightGatherer | None = None
        self._start: tuple[Start, HfFolder] | None = None

    def wants(self, step: int) -> bool:
        """Whether the recipe names the step."""
        every = self._config.every_steps
        return step in self._config.steps or (every is not None and step % every == 0)

    def begin(self, trainee: Trainee) -> None:
        """Finds the start in the folder, or writes it from the parent's checkpoint; nothing where no step is wanted.

        The weights in `trainee` may be those of any step.

        Raises:
            BadInput: the folder holds the trajectory of another start, or is damaged.
            ResourcesExhausted: the disk is too small.
        """
        if not self._config.steps and self._config.every_steps is None:
            return
        self._gatherer = WeightGatherer(
            trainee.chunks, trainee.model, trainee.vocab_size, _BUCKET_BYTES, dtype=torch.bfloat16
        )
        failed: Exception | None = None
        try:
            if is_first():
                self._find_start(trainee)
        except (PrismError, OSError) as error:
            failed = error
        _agree(failed)

    def after_step(self, trainee: Trainee, step: int) -> None:
        """Keeps the weights where the recipe names `step` and they aren't kept yet.

        Raises:
            BadInput: the folder's manifest is damaged.
            ResourcesExhausted: the disk is full.
        """
        if not self.wants(step):
            return
        assert self._gatherer is not None  # `begin` was called
        if first_ranks(step in steps(self._folder)):
            return
        trainee.optimizer.gather_weights()
        tensors = _in_bf16(self._gatherer)
        failed: Exception | None = None
        try:
            if is_first():
                self._keep(step, tensors)
        except (PrismError, OSError) as error:
            failed = error
        deque(tensors, maxlen=0)  # the others have theirs to send, whatever became of the file
        _agree(failed)

    def _find_start(self, trainee: Trainee) -> None:
        for leftover in self._folder.glob(".step_*.tmp"):
            leftover.unlink()  # a killed run's
        if has_start(self._folder):
            start = read_start(self._folder)
            if start.checkpoint != self._parent.identity:
                raise BadInput(
                    "this trajectory starts from another checkpoint than the stage",
                    place=str(self._folder),
                    remedy=f"move the folder away; the stage starts from {self._parent.path}",
                )
        else:
            sized = trainee.model.model_copy(update={"vocab_size": trainee.vocab_size})
            weights = list(family_of(sized).weight_map(sized, trainee.vocab_size))
            stored = TorchDist(self._parent.path)
            check_megatron(stored, weights)
            tensors = [as_bf16(tensor) for tensor in to_hf(stored, weights, sized)]
            start = write_start_folder(self._folder, self._parent.identity, tensors, default_workers())
        self._start = start, start_tensors(self._folder)

    def _keep(self, step: int, tensors: Iterator[tuple[str, Tensor]]) -> None:
        assert self._start is not None  # `begin` was called
        start, stored = self._start
        with difference_writer(self._folder, step, start) as writer:
            for name, tensor in tensors:
                writer.add(name, stored.read(name), tensor)
        kept = read_step(self._folder, step)
        log.info(
            "weights after step %d kept: %.2f%% changed, %.1f MB instead of %.1f MB",
            step,
            kept.changed_percent,
            kept.file.bytes / 1e6,
            kept.dense_bytes / 1e6,
        )


def _in_bf16(gatherer: WeightGatherer) -> Iterator[tuple[str, Tensor]]:
    """Every tensor on the CPU, rounded to the nearest; other ranks than the first get none. Collective."""
    for bucket in gatherer.buckets():
        for name, tensor in bucket.tensors:
            yield name, tensor.to("cpu", torch.bfloat16).contiguous()


def _agree(failed: Exception | None) -> None:
    """Raises on every rank when the first one failed."""
    if isinstance(failed, OSError) and failed.errno in (errno.ENOSPC, errno.EDQUOT):
        failed = ResourcesExhausted(
            "the disk is full", place=str(failed.filename), remedy="free space, then start the stage again"
        )
    said = first_ranks(failed if failed is None or isinstance(failed, PrismError) else repr(failed))
    if failed is not None:
        raise failed
    if isinstance(said, PrismError):
        raise said
    if said is not None:
        raise BadInput(f"the first rank failed: {said}", place="rl.trajectory", remedy="see its log")
