"""A stage's checkpoints as its loop uses them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from prism.megatron import checkpoint
from prism.megatron.agreement import wait_for_all
from prism.megatron.parallel import is_first_rank

if TYPE_CHECKING:
    from prism.megatron.trainee import Trainee
    from prism.recipe import CheckpointConfig

REFUSED = "refused"
"""Folder of checkpoints that a gate took back."""


class StoredSteps:
    """Saves beside the running steps, and goes back to an earlier one. Waits for what isn't written when it is left."""

    def __init__(self, directory: Path, settings: CheckpointConfig) -> None:
        self._directory = directory
        self._saver = checkpoint.Saver(directory, settings)

    def save(self, trainee: Trainee, step: int, state: Mapping[str, Any], *, wait: bool) -> None:
        """Saves step `step`; with `wait`, it is on disk on return. See `prism.megatron.checkpoint.Saver`."""
        self._saver.save(trainee.chunks, trainee.optimizer, step, state, wait=wait)

    def poll(self) -> None:
        """Takes note of a save that is written."""
        self._saver.poll()

    def back_to(self, step: int) -> int | None:
        """Moves checkpoints later than `step` to `refused/`; returns the step of the newest that is left."""
        self._saver.close()
        wait_for_all()
        if is_first_rank():
            refused = self._directory / REFUSED
            for path in checkpoint.complete(self._directory):
                if checkpoint.read(path).step > step:
                    refused.mkdir(exist_ok=True)
                    path.rename(refused / path.name)
        wait_for_all()
        newest = checkpoint.latest(self._directory)
        return None if newest is None else newest.step

    def __enter__(self) -> StoredSteps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._saver.close()
