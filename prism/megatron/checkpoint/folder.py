"""A stage's checkpoints on disk: which are there, which are sound, which go."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_prep.files import fingerprint, sync_directory
from prism.errors import BadInput
from prism.formats.checksums import damage
from prism.formats.files import step_name
from prism.formats.step_state import FILE_NAME, Damaged, StepState, read_state, step_of
from prism.megatron.checkpoint.description import impossible
from prism.megatron.checkpoint.ranks import first_ranks, from_all_ranks, is_first, own_share

log = logging.getLogger("prism.megatron")
_READERS = 4
_LEFTOVERS = (".step_*.tmp", ".step_*.old")


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk. `state` is what the loop saved beside the weights.

    said: all of state.json.
    verified: whether its files are known to be what was saved.
    """

    path: Path
    step: int
    state: Mapping[str, Any]
    said: StepState
    verified: bool = False

    @property
    def identity(self) -> str:
        """A hash that names this checkpoint's content."""
        if self.said.files is not None:
            sums = {name: found.xxh3 for name, found in self.said.files.items()}
            return fingerprint([self.step, dict(self.state), sums])
        files = sorted((file.name, file.stat().st_size) for file in self.path.iterdir() if file.is_file())
        return fingerprint([self.step, dict(self.state), files])


def step_directory(directory: Path, step: int) -> Path:
    return directory / step_name(step)


def complete(directory: Path) -> list[Path]:
    """Checkpoints under `directory` that were written to their end, oldest first."""
    return [path for path in _candidates(directory) if (path / FILE_NAME).is_file()]


def _candidates(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    found = [path for path in directory.iterdir() if step_of(path) is not None and path.is_dir()]
    return sorted(found, key=lambda path: path.name)


def latest(directory: Path) -> Checkpoint | None:
    """The newest sound checkpoint, every file of it verified; None when there is none at all.

    Damaged ones are skipped, and the log says what is wrong. In process groups all ranks call it, share the reading
    and get the same answer.

    Raises:
        BadInput: there are checkpoints and none is sound, or another release wrote the newest.
    """
    names = first_ranks([path.name for path in _candidates(directory)])
    for name in reversed(names):
        found, wrong = _examine(directory / name)
        if found is not None and not wrong:
            return replace(found, verified=True)
        if is_first():
            log.warning("%s is skipped: %s", directory / name, "; ".join(wrong))
    if names:
        raise BadInput(
            f"none of {len(names)} checkpoints is sound",
            place=str(directory),
            remedy="see the lines above; restore one, or remove them and run the stage again",
        )
    return None


def _examine(path: Path) -> tuple[Checkpoint | None, list[str]]:
    """A checkpoint and what is wrong with it. All ranks of a run call it."""
    found: Checkpoint | None = None
    wrong: list[str] = []
    try:
        found = read(path)
    except Damaged as error:
        wrong = [error.message]
    if any(from_all_ranks(bool(wrong))):
        return None, sorted({word for words in from_all_ranks(wrong) for word in words})
    assert found is not None  # nothing was wrong with it
    return found, _damages(found)


def require_latest(directory: Path) -> Checkpoint:
    """Raises BadInput when there is no sound checkpoint."""
    found = latest(directory)
    if found is None:
        raise BadInput("no complete checkpoint", place=str(directory), remedy="run the stage that makes it")
    return found


def read(path: Path) -> Checkpoint:
    """Reads what a checkpoint says of itself; its other files aren't looked at.

    Raises:
        BadInput: it is damaged, or another release reads it.
    """
    said = read_state(path)
    wrong = impossible(said)
    if wrong:
        raise Damaged(f"{FILE_NAME} describes a layout that can't be: {wrong}", path)
    return Checkpoint(path, said.step, said.state, said)


def verify(checkpoint: Checkpoint) -> Checkpoint:
    """Makes sure that every file is what was saved. In process groups all ranks call it and share the reading.

    Raises:
        Damaged: one isn't.
    """
    if checkpoint.verified:
        return checkpoint
    wrong = _damages(checkpoint)
    if wrong:
        raise Damaged("; ".join(wrong), checkpoint.path)
    return replace(checkpoint, verified=True)


def _damages(checkpoint: Checkpoint) -> list[str]:
    """What is wrong with the files, in words. Ranks share the reading, largest files first."""
    files = checkpoint.said.files
    if files is None:
        if is_first():
            log.warning("%s: saved by a release without checksums; it is read without verification", checkpoint.path)
        return []
    names = sorted(files, key=lambda name: (-files[name].bytes, name))
    with ThreadPoolExecutor(_READERS) as pool:
        own = list(pool.map(lambda name: damage(checkpoint.path / name, files[name]), own_share(names)))
    return [word for words in from_all_ranks(own) for word in words if word is not None]


def prune(directory: Path, keep_last: int, keep_every: int | None = None) -> None:
    """Removes all but the newest `keep_last` checkpoints and those of every `keep_every`-th step (first rank only)."""
    if is_first():
        remove(_superseded(complete(directory), keep_last, keep_every))


def _superseded(paths: Sequence[Path], keep_last: int, keep_every: int | None) -> list[Path]:
    return [path for path in paths[:-keep_last] if keep_every is None or (step_of(path) or 0) % keep_every]


def prune_before(directory: Path, step: int, keep_last: int, keep_every: int | None) -> None:
    """What follows the save of `step`: later checkpoints, which training went on from before, and old ones go."""
    paths = complete(directory)
    later = [path for path in paths if (step_of(path) or 0) > step]
    for path in later:
        log.warning("%s is removed: training went on from a step before it", path)
    remove([*later, *_superseded([path for path in paths if path not in later], keep_last, keep_every)])


def remove(paths: Sequence[Path]) -> None:
    """Takes checkpoints away, each at once: a kill in between leaves a hidden folder that the next start removes."""
    for path in paths:
        hidden = path.with_name(f".{path.name}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def remove_leftovers(directory: Path) -> None:
    """Removes what killed saves left (first rank only)."""
    if directory.is_dir() and is_first():
        for pattern in _LEFTOVERS:
            for path in directory.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)


def temporary_of(final: Path) -> Path:
    """The name that a checkpoint has while it is written."""
    return final.with_name(f".{final.name}.tmp")


def take_name(temporary: Path, final: Path) -> None:
    """Gives a whole checkpoint its name; one that has it goes."""
    sync_directory(temporary)
    if final.exists():
        hidden = final.with_name(f".{final.name}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        final.rename(hidden)
        temporary.rename(final)
        shutil.rmtree(hidden, ignore_errors=True)
    else:
        temporary.rename(final)
    sync_directory(final.parent)
