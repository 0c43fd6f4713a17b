"""Samples that evaluation wrote, from a run's stage or a folder of results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import read_jsonl
from prism.errors import BadInput
from prism.recipe.named import named_stage
from prism.tally.confidence import Confidence, confidence

_ENDING = ".samples.jsonl"
ALL = "all tasks"


@dataclass(frozen=True)
class Sampled:
    """A response to a task: see `prism.tally.confidence.Response`."""

    correct: bool
    tokens: int | None
    nll: float | None


def results_folder(text: str) -> Path:
    """The folder of results that a path or RUN:STAGE names.

    Raises:
        UsageError: there is no such folder or stage.
        BadInput: the stage wasn't evaluated.
    """
    if Path(text).is_dir():
        return Path(text)
    recipe, stage = named_stage(text)
    folder = recipe.stage_directory(stage) / "evaluate"
    if not folder.is_dir():
        raise BadInput("the stage wasn't evaluated", place=text, remedy=f"prism eval {text} --tasks ...")
    return folder


def confidence_of(folder: Path, task: str | None) -> dict[str, Confidence]:
    """By task, and over all of them where there are several.

    Args: task: this one alone.

    Raises:
        BadInput: there are no samples, none tells its probability, or a line is damaged.
    """
    files = {path.name.removesuffix(_ENDING): path for path in sorted(folder.glob(f"*{_ENDING}"))}
    if task is not None and task not in files:
        known = f"there are {', '.join(files)}" if files else "there are none"
        raise BadInput(f"no samples of {task}", place=str(folder), remedy=f"{known}; prism eval --tasks {task}")
    sampled = {name: _sampled(path) for name, path in files.items() if task in (None, name)}
    if len(sampled) > 1:
        sampled[ALL] = [one for responses in sampled.values() for one in responses]
    found = {name: one for name, responses in sampled.items() if (one := confidence(responses)) is not None}
    if not found:
        raise BadInput(
            "no sampled response with its probability",
            place=str(folder),
            remedy="evaluate a generation task with samples: prism eval RUN:STAGE --tasks NAME",
        )
    return found if len(found) > 2 or ALL not in found else {name: one for name, one in found.items() if name != ALL}


def _sampled(path: Path) -> list[Sampled]:
    """Responses that were drawn; greedy ones and samples of other kinds of tasks have none."""
    found = []
    for number, row in enumerate(read_jsonl(path), start=1):
        for one in row.get("responses") or ():
            found.append(_checked(one, f"{path}:{number}"))
    return found


def _checked(one: Any, place: str) -> Sampled:
    if not isinstance(one, Mapping) or not isinstance(one.get("correct"), bool):
        raise BadInput("a response without a verdict", place=place, remedy="evaluate the task again")
    nll = one.get("nll")
    known = isinstance(nll, int | float) and math.isfinite(nll)
    return Sampled(one["correct"], one.get("tokens"), float(nll) if known and nll is not None else None)


def rows(found: Mapping[str, Mapping[str, Confidence]]) -> Sequence[dict[str, Any]]:
    """A flat row for each source and task, for CSV."""
    flat = []
    for source, tasks in found.items():
        for task, one in tasks.items():
            row: dict[str, Any] = {"source": source, "task": task, "pass_rate": one.pass_rate}
            for part, split in (("all", one.overall), ("correct", one.correct), ("incorrect", one.incorrect)):
                row |= {f"{part}_{key}": value for key, value in vars(split).items()}
            flat.append(row)
    return flat
