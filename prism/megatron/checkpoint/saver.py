"""Saves a stage's checkpoints beside training."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from prism.errors import PrismError
from prism.formats.step_state import StepState
from prism.formats.torch_dist_image import Image, Placed, metadata_bytes
from prism.megatron.checkpoint import content, folder
from prism.megatron.checkpoint.description import describe_layout, describe_model
from prism.megatron.checkpoint.folder import Checkpoint
from prism.megatron.checkpoint.load import Parts, as_chunks
from prism.megatron.checkpoint.random_state import file_name, random_state
from prism.megatron.checkpoint.ranks import Notes, from_all_ranks
from prism.megatron.checkpoint.snapshot import Snapshot
from prism.megatron.checkpoint.writing import Kept, Outcome, Writing

if TYPE_CHECKING:
    from prism.recipe import CheckpointConfig

log = logging.getLogger("prism.megatron")
_LONG_S = 1.0


class Saver:
    """A stage's checkpoints in `directory`. All ranks hold one and call `save` at the same steps.

    What is saved is planned at the first save and copied while the next step computes; a thread writes it. The copy
    takes as much memory as this rank's part of a checkpoint.
    """

    def __init__(self, directory: Path, settings: CheckpointConfig | None) -> None:
        """Args: settings: None keeps every checkpoint and waits for each."""
        self._directory = directory
        self._asynchronous = settings is not None and settings.asynchronous
        self._kept = None if settings is None else Kept(settings.keep_last, settings.keep_every)
        self._plan: _Plan | None = None
        self._pending: _Pending | None = None
        self._failed: tuple[int, Outcome] | None = None
        folder.remove_leftovers(directory)

    def save(
        self,
        parts: Parts,
        optimizer: Any,
        step: int,
        state: Mapping[str, Any],
        frozen: Mapping[str, torch.nn.Module] | None = None,
        *,
        wait: bool = False,
    ) -> None:
        """Saves what there is after `step`, as it is now. Collective.

        Returns before it is written, unless `wait` is set; a save before that isn't written yet is waited for. When
        writing fails, the log says so, earlier checkpoints stay and training goes on; with `wait`, it is an error.

        Args:
            parts: the model's chunk or chunks.
            state: plain JSON, the same on every rank.
            frozen: further models to keep, such as RL's reference, by the name that prefixes their weights. They may
                change only after the optimizer's next step.

        Raises:
            ResourcesExhausted: the disk is full or fails, and `wait` is set.
        """
        self._finish_pending(say_if_long=True)
        self._failed = None
        chunks = as_chunks(parts)
        plan = self._plan = self._plan or _Plan(chunks, optimizer, frozen)
        writing = plan.writing(folder.step_directory(self._directory, step), step, state, self._kept)
        self._pending = _Pending(step, writing)
        beside = self._asynchronous and not wait and optimizer is not None
        self._pending.start(plan.steppers() if beside else (), beside=beside)
        if beside:
            return
        self._finish_pending()
        if wait:
            self._raise_if_failed()

    @property
    def pending(self) -> bool:
        """Whether a save isn't taken note of yet."""
        return self._pending is not None

    def poll(self) -> None:
        """Takes note of a save that is written; called at every step. Costs nothing while there is none.

        Raises:
            PrismError: the writer failed for another reason than the disk.
        """
        if self._pending is not None and self._pending.done:
            self._finish_pending()

    def close(self) -> None:
        """Waits for what isn't written yet.

        Raises:
            ResourcesExhausted: the last save failed, and there is no other error on the way.
        """
        self._finish_pending()
        if sys.exc_info()[1] is None:
            self._raise_if_failed()

    def _finish_pending(self, *, say_if_long: bool = False) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        began = time.monotonic()
        outcome = pending.finish()
        waited = time.monotonic() - began
        first = dist.get_rank() == 0
        if say_if_long and waited > _LONG_S and first:
            log.warning(
                "training waited %.1f s for step %d to be written. Remedy: raise checkpoint.every_steps, or write to a "
                "faster disk",
                waited,
                pending.step,
            )
        if outcome.failure is None:
            return
        self._failed = (pending.step, outcome)
        if not outcome.disk:
            raise outcome.error(self._directory, pending.step)
        if first:
            log.warning(
                "%s: step %d isn't saved: %s. Remedy: %s",
                self._directory,
                pending.step,
                outcome.failure,
                outcome.remedy,
            )

    def _raise_if_failed(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed[1].error(self._directory, failed[0])


def save(
    directory: Path,
    step: int,
    parts: Parts,
    optimizer: Any,
    state: Mapping[str, Any],
    frozen: Mapping[str, torch.nn.Module] | None = None,
) -> Checkpoint:
    """Writes `directory/step_N` from every rank and waits for it; removes nothing. Collective. See `Saver.save`."""
    saver = Saver(directory, None)
    saver.save(parts, optimizer, step, state, frozen, wait=True)
    return folder.read(folder.step_directory(directory, step))


class _Pending:
    """A save that is being written."""

    def __init__(self, step: int, writing: Writing) -> None:
        self.step = step
        self._writing = writing
        self._outcome = Outcome("the writer ended without a word")
        self._thread: threading.Thread | None = None

    def start(self, steppers: Sequence[torch.optim.Optimizer], *, beside: bool) -> None:
        """Writes, or starts to write `beside` what this thread does next."""
        self._writing.begin(steppers)
        if beside:
            self._thread = threading.Thread(target=self._run, name=f"checkpoint {self.step}", daemon=True)
            self._thread.start()
        else:
            self._run()

    @property
    def done(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    def finish(self) -> Outcome:
        if self._thread is not None:
            self._thread.join()
        self._writing.end()
        return self._outcome

    def _run(self) -> None:
        self._outcome = self._writing.run()


class _Plan:
    """What this rank writes and where, which stays the same from save to save; planned together with all ranks.

    Raises:
        PrismError: the ranks' parts don't make a whole.
    """

    def __init__(self, chunks: list[torch.nn.Module], optimizer: Any, frozen: Mapping[str, torch.nn.Module] | None):
        self._chunks, self._optimizer, self._frozen = chunks, optimizer, frozen
        found = content.to_write(chunks, optimizer, frozen)
        image = Image([part.block for part in found.parts], found.objects)
        self._file_name = f"__{dist.get_rank()}_0.distcp"
        self._snapshot = Snapshot(image, found.parts) if image.bytes else None
        self._cached = (self._signature(), found)
        placed = Placed(self._file_name, image.slots, image.objects)
        everything = from_all_ranks((placed, describe_model(chunks)))
        self._layout = describe_layout(chunks, optimizer)
        self._model = {key: value for _, known in everything for key, value in known.items()}
        try:
            self._metadata = metadata_bytes([files for files, _ in everything])
        except ValueError as error:
            raise PrismError(f"can't be saved: {error}", place="checkpoint", remedy="report it") from None

    def writing(self, final: Path, step: int, state: Mapping[str, Any], kept: Kept | None) -> Writing:
        """The save of `step`; values that aren't tensors are taken now."""
        found = self._content()
        optimizer_step = found.common["optimizer"]["step"] if self._optimizer is not None else None
        return Writing(
            final=final,
            said=StepState(
                step=step,
                state=json.loads(json.dumps(dict(state))),
                layout=self._layout,
                model=self._model,
                optimizer_step=optimizer_step,
            ),
            snapshot=self._snapshot,
            parts=found.parts,
            file_name=self._file_name,
            own={file_name(): random_state()},
            metadata=self._metadata if dist.get_rank() == 0 else b"",
            common=found.common,
            kept=kept,
            notes=Notes(),
        )

    def steppers(self) -> list[torch.optim.Optimizer]:
        """The optimizers whose steps change what is saved."""
        parts = [] if self._optimizer is None else self._optimizer.chained_optimizers
        return [part.optimizer for part in parts if part.optimizer is not None]

    def _content(self) -> content.Content:
        """What is to be written now; looked up again only where tensors live elsewhere than at the save before."""
        signature, found = self._cached
        if self._optimizer is not None:
            self._optimizer.gather_weights()
        if signature is None or signature != self._signature():
            found = content.to_write(self._chunks, self._optimizer, self._frozen)
            self._cached = (self._signature(), found)
        elif self._optimizer is not None:
            found = replace(found, common={"optimizer": {"step": self._optimizer.steps}})
        return found

    def _signature(self) -> list[int] | None:
        """Addresses of everything that is saved; None where an optimizer moves its state around."""
        modules = [*self._chunks, *(self._frozen or {}).values()]
        found = [parameter.data_ptr() for module in modules for parameter in module.parameters()]
        for stepper in self.steppers():
            if hasattr(stepper, "sub_optimizers"):
                return None
            for group in stepper.param_groups:
                found += [parameter.data_ptr() for parameter in group["params"]]
            for state in stepper.state.values():
                found += [value.data_ptr() for value in state.values() if isinstance(value, torch.Tensor)]
        return found
