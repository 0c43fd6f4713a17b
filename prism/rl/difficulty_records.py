"""What a difficulty stage has measured, on disk: every sample first, then a line a prompt. Kill it at any time.

| file | a line |
|---|---|
| samples/NNNNN.jsonl | a prompt's responses with their verdicts, `PROMPTS_A_FILE` prompts a file |
| difficulty.jsonl | id, domain, prompt, correct, samples, and means over the samples |

A prompt that leaves no room for a response has 0 samples. Lines are in the order of the prompts, appended and synced. A
last line that a kill cut short is dropped; samples whose prompt has no line yet are taken as they are and not judged
again, since a verdict may depend on the clock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from data_prep.files import read_jsonl, sync_directory
from prism.errors import BadInput
from prism.rl.mixes import Measured
from prism.rl.prompt_draw import prompt_name
from prism.rl.prompts import RlPrompt

PROMPTS_A_FILE = 256
_REMEDY = "remove the stage's folder and run it again"


@dataclass(frozen=True)
class Sample:
    """One response: its text, its number of tokens, whether it ended itself, and what it was judged."""

    text: str
    tokens: int
    stopped: bool
    solved: bool
    reward: float


def difficulty_path(folder: Path) -> Path:
    return folder / "difficulty.jsonl"


def samples_path(folder: Path, place: int) -> Path:
    """The file of the samples of the prompt at `place`."""
    return folder / "samples" / f"{place // PROMPTS_A_FILE:05d}.jsonl"


class DifficultyRecords:
    """Opens what is there, mends what a kill left, and appends. One process writes.

    Args:
        folder: the stage's.
        prompts: all that are measured, in order.

    Raises:
        BadInput: the records are of other prompts, or damaged before their last line.
    """

    def __init__(self, folder: Path, prompts: Sequence[RlPrompt]) -> None:
        self._folder = folder
        self._prompts = prompts
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "samples").mkdir(exist_ok=True)
        self._done = len(self._checked(difficulty_path(folder), 0))
        self._take_unnoted()

    @property
    def done(self) -> int:
        """Prompts that are measured: the first so many."""
        return self._done

    def append(self, groups: Sequence[Sequence[Sample]]) -> None:
        """The samples of the next prompts, a group each."""
        begin = self._done
        lines: dict[Path, list[dict[str, Any]]] = {}
        for place, group in enumerate(groups, start=begin):
            line = {"id": prompt_name(self._prompts[place]), "samples": [asdict(sample) for sample in group]}
            lines.setdefault(samples_path(self._folder, place), []).append(line)
        for path, rows in lines.items():
            _append(path, rows)
        self._note([_row(prompt, group) for prompt, group in zip(self._prompts[begin:], groups, strict=False)])

    def _take_unnoted(self) -> None:
        """Notes prompts whose samples were written and whose own line wasn't."""
        place = self._done // PROMPTS_A_FILE * PROMPTS_A_FILE
        found: list[list[Sample]] = []
        while (path := samples_path(self._folder, place)).is_file():
            rows = self._checked(path, place)
            found += [[Sample(**sample) for sample in row["samples"]] for row in rows[max(self._done - place, 0) :]]
            if len(rows) < min(self._done - place, PROMPTS_A_FILE):
                raise BadInput("samples are missing", place=str(path), remedy=_REMEDY)
            place += PROMPTS_A_FILE
        self._note([_row(prompt, group) for prompt, group in zip(self._prompts[self._done :], found, strict=False)])

    def _note(self, rows: list[dict[str, Any]]) -> None:
        _append(difficulty_path(self._folder), rows)
        self._done += len(rows)

    def _checked(self, path: Path, first: int) -> list[dict[str, Any]]:
        """The whole lines of a file whose first is of the prompt at `first`; cuts off what a kill left."""
        rows = _whole_lines(path)
        names = [prompt_name(prompt) for prompt in self._prompts[first : first + len(rows)]]
        if [row.get("id") for row in rows] != names:
            raise BadInput("measured other prompts than the recipe names", place=str(path), remedy=_REMEDY)
        return rows


def read_measured(folder: Path, prompts: Sequence[RlPrompt]) -> list[Measured]:
    """The counts of a finished stage, with its prompts.

    Raises:
        BadInput: they are of other prompts, or not of all.
    """
    path = difficulty_path(folder)
    if not path.is_file():
        raise BadInput("is missing", place=str(path), remedy="run the difficulty stage that makes it")
    rows = list(read_jsonl(path))
    if [row.get("id") for row in rows] != [prompt_name(prompt) for prompt in prompts]:
        raise BadInput("measured other prompts than the recipe names", place=str(path), remedy=_REMEDY)
    return [Measured(prompt, row["correct"], row["samples"]) for prompt, row in zip(prompts, rows, strict=True)]


def _row(prompt: RlPrompt, group: Sequence[Sample]) -> dict[str, Any]:
    return {
        "id": prompt_name(prompt),
        "domain": prompt.domain,
        "prompt": prompt.question,
        "correct": sum(sample.solved for sample in group),
        "samples": len(group),
        "stopped": sum(sample.stopped for sample in group),
        "mean_tokens": _mean([sample.tokens for sample in group]),
        "mean_reward": _mean([sample.reward for sample in group]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 6) if values else None


def _append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    new = not path.exists()
    with path.open("ab") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    if new:
        sync_directory(path.parent)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; its last line is cut off where it isn't whole.

    Raises:
        BadInput: a line before the last isn't a row.
    """
    if not path.is_file():
        return []
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        row = _parsed(line) if line.endswith(b"\n") else None
        if row is not None:
            rows.append(row)
        elif number < len(lines):
            raise BadInput("not valid JSON", place=f"{path}:{number}", remedy=_REMEDY)
    length = sum(map(len, lines[: len(rows)]))
    if length < len(content):
        with path.open("r+b") as handle:
            handle.truncate(length)
            os.fsync(handle.fileno())
    return rows


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
