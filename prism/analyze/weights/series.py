"""A series of checkpoints against one start: how far, and how many weights moved, step by step (paper, appendix 20).

Every checkpoint is a reading of its own, kept in the output as soon as it is done: a series that grew is gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json
from prism.analyze.weights.answers import Asked
from prism.analyze.weights.compare import HEAD, Progress, analyse, write_analysis
from prism.analyze.weights.sources import Source, named_folder, open_source, step_in, step_source
from prism.errors import UsageError
from prism.formats.hf_folder import HfFolder
from prism.formats.sparse_difference import StepWeights, start_tensors
from prism.formats.trajectory_manifest import has_start, steps

_LEFT_OUT = ("tensors", "sources", "schema_version", "release", "before", "notes")


@dataclass(frozen=True)
class Entry:
    """A checkpoint of a series; opened when its turn comes."""

    name: str
    step: int | None
    open: Callable[[], Source]


@dataclass(frozen=True)
class Point:
    """A checkpoint against the start: `figures` as a comparison's JSON has them, without single tensors."""

    name: str
    step: int | None
    key: str
    content: str
    figures: dict[str, Any]


@dataclass(frozen=True)
class Trajectory:
    start: str
    thresholds_percent: tuple[float, ...]
    points: tuple[Point, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            **HEAD,
            "start": self.start,
            "thresholds_percent": list(self.thresholds_percent),
            "points": [asdict(point) for point in self.points],
        }


def entries(texts: Sequence[str]) -> list[Entry]:
    """The start, then the others in order of steps.

    Args:
        texts: one folder of a stage's kept steps (its `trajectory`, or its checkpoints), or a start and then such
            folders or single checkpoints. RUN:STAGE is a stage's kept steps where it has any, else its checkpoints.

    Raises:
        BadInput: a folder is damaged.
        UsageError: there are fewer than two checkpoints.
    """
    if len(texts) == 1:
        found = list(_expanded(texts[0]))
    else:
        found = [Entry(texts[0], None, lambda: open_source(texts[0]))]
        found += [entry for text in texts[1:] for entry in _expanded(text) if entry.step != 0]
    if len(found) < 2:
        raise UsageError(
            "a trajectory needs a start and a checkpoint after it",
            place=texts[0],
            remedy="give a stage's trajectory folder (`rl.trajectory` keeps steps), or START and then checkpoints",
        )
    return found


def follow(
    series: Sequence[Entry],
    thresholds_percent: tuple[float, ...],
    output: Path | None,
    told: Callable[[Point], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Trajectory:
    """Compares every checkpoint with the first.

    Args:
        output: a file for the result, written after every checkpoint; those that it holds aren't read again.
        told: hears of every point, in order.

    Raises:
        BadInput: a checkpoint doesn't fit the start, or is damaged.
    """
    start = series[0].open()
    asked = Asked(((0, 1),), thresholds_percent)
    known = {point.key: point for point in _known(output, thresholds_percent)}
    points: list[Point] = []
    for entry in series[1:]:
        source = entry.open()
        key = fingerprint([[one.key(name) for name in one.weights.names()] for one in (start, source)])
        point = known.get(key)
        if point is None:
            done = analyse((start, source), asked, output, progress)
            comparison = done.comparisons[0].as_json()
            figures = {name: value for name, value in comparison.items() if name not in _LEFT_OUT}
            point = Point(entry.name, entry.step, key, done.sources[1].content, figures)
        points.append(point)
        told(point)
        if output is not None:
            write_analysis(output, Trajectory(series[0].name, thresholds_percent, tuple(points)).as_json())
    return Trajectory(series[0].name, thresholds_percent, tuple(points))


def _expanded(text: str) -> Iterator[Entry]:
    """The checkpoints that a folder holds, or itself."""
    folder = _folder(text)
    if has_start(folder):
        start = cache(lambda: start_tensors(folder))
        for step in (0, *steps(folder)):
            yield Entry(f"step_{step}", step, partial(_kept, folder, step, start))
        return
    found = sorted(one for one in folder.iterdir() if (one / ".metadata").is_file() and step_in(one.name) is not None)
    if not found:
        yield Entry(text, step_in(folder.name), partial(open_source, text))
    for one in found:
        yield Entry(one.name, step_in(one.name), partial(open_source, str(one), one.name))


def _kept(folder: Path, step: int, start: Callable[[], HfFolder]) -> Source:
    return step_source(folder, step, StepWeights(folder, step, start()))


def _folder(text: str) -> Path:
    """Of a stage its kept steps, else its checkpoints."""
    folder = named_folder(text)
    if has_start(folder / "trajectory"):
        return folder / "trajectory"
    return folder / "checkpoints" if (folder / "checkpoints").is_dir() else folder


def _known(output: Path | None, thresholds_percent: tuple[float, ...]) -> list[Point]:
    """Points of an earlier call; none where the file is another's."""
    if output is None or not output.is_file():
        return []
    try:
        content = read_json(output)
        if content["schema_version"] != HEAD["schema_version"]:
            return []
        same = content["thresholds_percent"] == list(thresholds_percent)
        return [Point(**point) for point in content["points"]] if same else []
    except (DataError, KeyError, TypeError):
        raise UsageError(
            "the output is no trajectory of ours", place=str(output), remedy="name another file, or remove this one"
        ) from None
