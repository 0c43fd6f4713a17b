"""What the commands of `prism analyze` share: reading options, reading checkpoints, writing files."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prism.analyze.weights import Analysis, Asked, Source

_PRINTED = "-"


def percent(text: str | None) -> tuple[float, ...]:
    """Thresholds in rising order; the paper's by default. Raises UsageError."""
    from prism.analyze.weights import THRESHOLDS_PERCENT
    from prism.errors import UsageError

    if text is None:
        return THRESHOLDS_PERCENT
    try:
        found = tuple(float(one) for one in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < one < 1e6 for one in found) or len(set(found)) < len(found):
        raise UsageError(
            f"{text!r} isn't a list of different percentages", place="--thresholds", remedy="write them as 0.1,1,10"
        )
    return tuple(sorted(found))


def opened(texts: Sequence[str], names: str | None, *, masters: bool = False) -> list[Source]:
    """Raises BadInput or UsageError."""
    from prism.analyze.weights import open_sources

    return open_sources(texts, called(texts, names), masters=masters)


def called(texts: Sequence[str], names: str | None) -> list[str]:
    """What each checkpoint is called: --names, else as it was given. Raises UsageError."""
    from prism.errors import UsageError

    found = names.split(",") if names is not None else list(texts)
    if len(found) != len(texts) or (names is not None and len(set(found)) < len(found)):
        raise UsageError(
            f"{names!r} isn't a name for each of {len(texts)} checkpoints", place="--names", remedy="write base,mid,rl"
        )
    return found


def analysed(sources: Sequence[Source], asked: Asked, output: Path | None) -> Analysis:
    """Reads the sources, with a bar where a person looks on."""
    from prism.analyze.weights import analyse
    from prism.analyze.weights.compare import bytes_to_read

    with progress("read", bytes_to_read(sources)) as advance:
        return analyse(sources, asked, file(output), advance)


def file(output: Path | None) -> Path | None:
    """The file that is written; none where figures are printed."""
    return None if output is None or str(output) == _PRINTED else output


def written(
    output: Path | None,
    table: Path | None,
    content: Mapping[str, Any],
    rows: Iterable[Mapping[str, Any]] | None = None,
) -> bool:
    """Writes or prints the figures. Returns whether they were printed, so that nothing else should be.

    Args: rows: of the CSV; None makes those of weight analysis.
    """
    from data_prep.files import write_text
    from prism.analyze.weights import write_analysis

    if table is not None:
        write_text(table, as_csv(_rows(content) if rows is None else rows))
    path = file(output)
    if path is not None:
        write_analysis(path, content)
    if output is not None and path is None:
        print(json.dumps(content, indent=1, ensure_ascii=False))
        return True
    for made in (path, table):
        if made is not None:
            print(f"made: {made}", file=sys.stderr)
    return False


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Under the names of all columns that a row has, in the order of their first use."""
    rows = list(rows)
    fields = list(dict.fromkeys(key for row in rows for key in row))
    handle = io.StringIO()
    writer = csv.DictWriter(handle, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return handle.getvalue()


def _rows(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for every group and matrix of comparisons, relations and points of a trajectory."""
    for one in content.get("comparisons", ()):
        head = {"before": one["before"], "after": one["after"], "taken_in": one["dtype"]}
        yield from _groups(head, one)
        yield from ({**head, "level": "matrix", "name": row["name"], **_figures(row)} for row in one["tensors"])
        if one["in_bf16"] is not None:
            yield from _groups({**head, "taken_in": "bfloat16"}, one["in_bf16"])
    for one in content.get("relations", ()):
        yield from _groups({"before": " -> ".join(one["first"]), "after": " -> ".join(one["second"])}, one)
    for point in content.get("points", ()):
        head = {"before": content["start"], "after": point["name"], "step": point["step"]}
        figures = point["figures"]
        yield from _groups({**head, "taken_in": figures["dtype"]}, figures)
        if figures["in_bf16"] is not None:
            yield from _groups({**head, "taken_in": "bfloat16"}, figures["in_bf16"])


def _groups(head: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("total", "total_all"):
        yield {**head, "level": "all", "name": name, **_figures(content[name])}
    for level in ("component", "sub_component", "layer"):
        for name, figures in content[f"by_{level}"].items():
            yield {**head, "level": level, "name": name, **_figures(figures)}


def _figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: figures[key] for key in ("relative_l2", "mean_relative_l2", "cosine", "elements") if key in figures}
    flat |= {f"unchanged_{key}_percent": value for key, value in figures.get("unchanged_percent", {}).items()}
    for threshold, overlap in figures.get("overlap", {}).items():
        flat |= {f"{key}_at_{threshold}_percent": value for key, value in overlap.items()}
    return flat


@contextmanager
def progress(what: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; gives what is told the bytes that are done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=size)
        yield lambda count: bar.advance(task, count)
