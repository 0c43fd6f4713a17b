"""Questions of OpenCodeReasoning-2, whose rows name data set, split and position instead of holding them.

As NVIDIA's data set card describes: TACO and APPS have a question, CodeContests a description, open-r1/codeforces a
description with sections. The lookup folder holds these sets, each in a folder of its name (`taco`, `apps`,
`code_contests`, `codeforces`, or the hub's names), a split in files such as train.jsonl or
train-00000-of-00009.parquet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_prep.errors import DataError
from data_prep.files import fingerprint, write_bytes
from data_prep.joins.tables import read_columns
from data_prep.rows import Row, value

NOT_PUBLISHED = ("-", "")
NO_QUESTION = "the looked-up question is empty"

_TABLES = ".questions"
_PREFERRED_FOLDERS = ("data", "ALL", "default")


class QuestionJoin:
    """Puts the question into a row's column `question`; rows that have one pass as they are.

    Each split's questions are written once to a compact table in the lookup folder, which every process maps.
    """

    def __init__(self, folder: Path) -> None:
        self.missing: Counter[str] = Counter()
        self._folder = folder
        self._tables: dict[tuple[str, str], pa.ChunkedArray] = {}

    def __call__(self, row: Row) -> Iterator[Row]:
        """Raises DataError when the lookup lacks the data set, the split or the position."""
        if row.get("question") not in (None, *NOT_PUBLISHED):
            yield row
            return
        question = self._question(str(value(row, "dataset")), str(value(row, "split")), value(row, "index"))
        if question.strip():
            yield {**row, "question": question}
        else:
            self.missing[NO_QUESTION] += 1

    def _question(self, dataset: str, split: str, index: Any) -> str:
        key = (dataset, split)
        if key not in self._tables:
            self._tables[key] = _questions(self._folder, dataset, split)
        questions = self._tables[key]
        try:
            position = int(index)
        except (TypeError, ValueError):
            raise DataError(f"column 'index' should hold a position, found {index!r:.60}") from None
        if not 0 <= position < len(questions):
            raise DataError(
                f"{dataset} {split} has {len(questions):,} rows, no row {position:,}",
                place=str(self._folder),
                remedy="fetch every file of the split, at the revision that the questions were numbered by",
            )
        return str(questions[position].as_py())


def _codeforces(row: Row) -> str:
    """The description, then its sections, each behind its heading."""
    if not row["description"]:
        return ""
    parts = [row["description"]]
    for heading, column in (("Input", "input_format"), ("Output", "output_format")):
        if row.get(column):
            parts += [heading, row[column]]
    if row.get("examples"):
        parts.append("Examples")
        for example in row["examples"]:
            parts += ["Input", example.get("input") or "", "Output", example.get("output") or ""]
    if row.get("note"):
        parts += ["Note", row["note"]]
    return "\n\n".join(parts)


def _column(name: str) -> Callable[[Row], str]:
    return lambda row: row[name] or ""


_SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Row], str]]] = {
    "taco": (("taco", "BAAI/TACO"), ("question",), _column("question")),
    "apps": (("apps", "codeparrot/apps"), ("question",), _column("question")),
    "code_contests": (("code_contests", "deepmind/code_contests"), ("description",), _column("description")),
    "open-r1/codeforces": (
        ("codeforces", "open-r1/codeforces"),
        ("description", "input_format", "output_format", "examples", "note"),
        _codeforces,
    ),
}
"""Folders, columns and question by data set."""


def _questions(lookup: Path, dataset: str, split: str) -> pa.ChunkedArray:
    """A split's questions by position."""
    if dataset not in _SETS:
        raise DataError(f"unknown data set {dataset!r} of a question", remedy=f"it is one of {', '.join(_SETS)}")
    folders, columns, question = _SETS[dataset]
    files = _split_files(lookup, folders, split)
    stamp = fingerprint([[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files])
    table = lookup / _TABLES / f"{folders[0]}-{split}-{stamp[:16]}.arrow"
    if not table.is_file():
        rows = (row for file in files for row in read_columns(file, columns))
        content = _arrow([question(row) for row in rows])
        try:
            write_bytes(table, content)
        except OSError:  # a lookup folder that can only be read
            return pa.ipc.open_file(pa.BufferReader(content)).read_all()["question"]
    return pa.ipc.open_file(pa.memory_map(str(table))).read_all()["question"]


def _arrow(questions: list[str]) -> bytes:
    table = pa.table({"question": pa.array(questions, pa.large_string())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _split_files(lookup: Path, folders: tuple[str, ...], split: str) -> list[Path]:
    roots = [lookup / folder for folder in folders if (lookup / folder).is_dir()]
    if not roots:
        raise DataError(
            f"the questions of {folders[-1]} aren't there",
            place=str(lookup / folders[0]),
            remedy=f"fetch {folders[-1]} into this folder, or set the join's path",
        )
    found = [file for file in sorted(roots[0].rglob("*")) if file.is_file() and _is_of(file, split)]
    parents = {file.parent if file.parent.name != split else file.parent.parent for file in found}
    if len(parents) > 1:
        preferred = [name for name in _PREFERRED_FOLDERS if (roots[0] / name) in parents]
        chosen = roots[0] / preferred[0] if preferred else (roots[0] if roots[0] in parents else None)
        if chosen is None:
            raise DataError(
                f"several folders hold the split {split}: {', '.join(sorted(parent.name for parent in parents))}",
                place=str(roots[0]),
                remedy="keep the one whose rows the questions are numbered by",
            )
        found = [file for file in found if chosen in (file.parent, file.parent.parent)]
    if not found:
        raise DataError(
            f"no file of the split {split}",
            place=str(roots[0]),
            remedy=f"fetch it, as {split}.jsonl, {split}.parquet, {split}.arrow or in a folder {split}",
        )
    return found


def _is_of(file: Path, split: str) -> bool:
    stem, _, ending = file.name.removesuffix(".gz").removesuffix(".zst").rpartition(".")
    if ending not in ("jsonl", "json", "parquet", "arrow"):
        return False
    return stem == split or stem.startswith(f"{split}-") or file.parent.name == split
