"""Writes one save's files and makes them a checkpoint; runs beside training.

Every rank writes its own files and leaves a note of sizes and checksums. The first rank waits for all notes, writes
what describes the whole, and gives the folder its name; or removes it, when one rank failed. All ranks learn the
outcome. Nothing here is a collective.
"""

from __future__ import annotations

import errno
import json
import logging
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from data_prep.files import sync_directory
from prism.errors import PrismError, ResourcesExhausted
from prism.formats.checksums import FileSum, write_summed
from prism.formats.step_state import StepState, write_state
from prism.formats.torch_dist_image import common_bytes
from prism.formats.torch_dist_writer import BACKENDS
from prism.megatron.checkpoint import folder
from prism.megatron.checkpoint.content import Part
from prism.megatron.checkpoint.ranks import Notes
from prism.megatron.checkpoint.snapshot import Snapshot

log = logging.getLogger("prism.megatron")
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Kept:
    """Which checkpoints stay after a save; None keeps all."""

    last: int
    every: int | None


@dataclass(frozen=True)
class Outcome:
    """How a save ended: `failure` says what went wrong, None if nothing; `full` that the disk had no room."""

    failure: str | None = None
    full: bool = False
    disk: bool = False

    def error(self, directory: Path, step: int) -> PrismError:
        """The failure as what stops a run."""
        kind = ResourcesExhausted if self.disk else PrismError
        return kind(f"step {step} isn't saved: {self.failure}", place=str(directory), remedy=self.remedy)

    @property
    def remedy(self) -> str:
        if self.full:
            return "free space on this disk; the checkpoints before are whole"
        if self.disk:
            return "look after the disk; the checkpoints before are whole"
        return "report it; the checkpoints before are whole"


@dataclass(frozen=True)
class Writing:
    """One save of this rank.

    own: small files by name. metadata: content of .metadata, on the first rank.
    """

    final: Path
    said: StepState
    snapshot: Snapshot | None
    parts: Sequence[Part]
    file_name: str
    own: Mapping[str, bytes]
    metadata: bytes
    common: Mapping[str, Any]
    kept: Kept | None
    notes: Notes

    def begin(self, steppers: Sequence[torch.optim.Optimizer]) -> None:
        """Before `run`, on the thread that trains."""
        if self.snapshot is not None:
            self.snapshot.begin(self.parts, steppers)

    def end(self) -> None:
        """After `run`, on the thread that trains."""
        if self.snapshot is not None:
            self.snapshot.end()

    def run(self) -> Outcome:
        """Writes this rank's files; returns when all ranks have and the checkpoint is whole, or has failed."""
        rank, first = dist.get_rank(), dist.get_rank() == 0
        files: dict[str, FileSum] = {}
        own = _attempt(lambda: files.update(self._write_own()))
        self.notes.leave(rank, {"files": {name: asdict(found) for name, found in files.items()}, **asdict(own)})
        if not first:
            return Outcome(**self.notes.outcome())
        found = self.notes.of_all()
        failed = [note for note in found if note["failure"] is not None]
        if failed:
            outcome = Outcome(failed[0]["failure"], failed[0]["full"], failed[0]["disk"])
        else:
            all_files = {name: FileSum(**entry) for note in found for name, entry in note["files"].items()}
            outcome = _attempt(lambda: self._finish(all_files))
        if outcome.failure is not None:
            shutil.rmtree(folder.temporary_of(self.final), ignore_errors=True)
        self.notes.conclude(asdict(outcome))
        return outcome

    def _write_own(self) -> dict[str, FileSum]:
        if self.snapshot is not None:
            self.snapshot.copy()
        temporary = folder.temporary_of(self.final)
        temporary.mkdir(parents=True, exist_ok=True)
        files = {name: write_summed(temporary / name, content) for name, content in self.own.items()}
        if self.snapshot is not None:
            files[self.file_name] = write_summed(temporary / self.file_name, self.snapshot.bytes)
        return files

    def _finish(self, files: Mapping[str, FileSum]) -> None:
        temporary = folder.temporary_of(self.final)
        described = {
            "common.pt": common_bytes(self.common),
            "metadata.json": json.dumps(BACKENDS).encode(),
            ".metadata": self.metadata,
        }
        sums = {name: write_summed(temporary / name, content) for name, content in described.items()}
        write_state(temporary, replace(self.said, files=dict(sorted({**files, **sums}.items()))))
        folder.take_name(temporary, self.final)
        if self.kept is not None:
            folder.prune_before(self.final.parent, self.said.step, self.kept.last, self.kept.every)
        sync_directory(self.final.parent)


def _attempt(work: Callable[[], None]) -> Outcome:
    try:
        work()
    except OSError as error:
        full = error.errno in _FULL
        what = "the disk is full" if full else f"{error.strerror or error} ({error.filename or 'while writing'})"
        return Outcome(what, full, disk=True)
    except BaseException as error:
        log.debug("%s", traceback.format_exc())
        return Outcome(f"{type(error).__name__}: {error}")
    return Outcome()
