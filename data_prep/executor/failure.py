"""Why tasks failed, as far as the logs of a stage say it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_prep import errors

GO_ON = "read the log, mend the cause and run the same command again: it goes on with what is left"

SLURM_LOGS = "slurm_logs"

_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?$", re.DOTALL)
_SLURM_SAYS = re.compile(r"\b(?:slurm[\w-]+|srun): (?:error|fatal): .*")


def task_failure(folder: Path, left: Sequence[int], tasks: int) -> errors.UserError:
    """The error for the tasks `left` of the stage in `folder`: the first that says why, and its log."""
    count = f"{len(left)} of {tasks} tasks failed"
    for log in (task_log(folder, rank) for rank in left):
        raised = _raised(log)
        if raised is None:
            continue
        kind, text = raised
        message, _, remedy = text.partition(". Remedy: ")
        return kind(f"{count}: {message}", place=str(log), remedy=remedy or GO_ON)
    for log in _slurm_logs(folder):
        said: list[str] = _SLURM_SAYS.findall(log.read_text(errors="replace"))
        if said:
            # srun only counts; what ended the task is said by the daemon, be it later
            reason = next((line for line in said if not line.startswith("srun")), said[0])
            return errors.DataError(f"{count}: {reason}", place=str(log), remedy=GO_ON)
    return errors.DataError(f"{count} and left no reason (first: {left[0]})", place=str(folder), remedy=GO_ON)


def says_why(folder: Path, left: Iterable[int]) -> bool:
    """Whether one of the tasks has an error in its log."""
    return any(_raised(task_log(folder, rank)) is not None for rank in left)


def task_log(folder: Path, rank: int) -> Path:
    return folder / "logs" / f"task_{rank:05d}.log"


def _slurm_logs(folder: Path) -> list[Path]:
    """Slurm's own logs, by job and task."""
    return sorted(
        (folder / SLURM_LOGS).glob("*.out"), key=lambda path: [int(number) for number in path.stem.split("_")]
    )


def _raised(log: Path) -> tuple[type[errors.UserError], str] | None:
    """Class and text of the error at the end of the last traceback; DataError for one that isn't for users."""
    if not log.is_file():
        return None
    _, found, after = log.read_text(errors="replace").rpartition("Traceback (most recent call last):\n")
    if not found:
        return None
    lines = after.rstrip().split("\n")
    first = next((number for number, line in enumerate(lines) if _RAISED.match(line)), None)
    match = _RAISED.match("\n".join(lines[first:])) if first is not None else None
    if match is None:
        return None
    room, _, name = match["type"].rpartition(".")
    kind = getattr(errors, name, None) if room == errors.__name__ else None
    if isinstance(kind, type) and issubclass(kind, errors.UserError):
        return kind, match["text"] or name
    return errors.DataError, "\n".join(lines[first:])
