"""What a sample of a data set is, and how its files are written."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

Row = dict[str, Any]

TRACE = "<think>\nhm\n</think>\n\n"


@dataclass(frozen=True)
class Sample:
    """Rows by the file that the hub keeps them in; `lookup` and `contents` are what a join finds."""

    files: dict[str, list[Row]]
    texts: list[str]
    dropped: dict[str, int] = field(default_factory=dict)
    lookup: dict[str, list[Row]] = field(default_factory=dict)
    contents: tuple[bytes, ...] = ()


def write_sample(sample: Sample, folder: Path, ending: str | None = None) -> None:
    """Writes the files, each in its own format or all in that of `ending`."""
    for name, rows in sample.files.items():
        write_rows(folder / name if ending is None else (folder / name).with_suffix(ending), rows)
    for name, rows in sample.lookup.items():
        write_rows(folder / "lookup" / name, rows)
    for content in sample.contents:
        path = folder / "lookup" / "content" / f"{blob_id(content)}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content))


def write_rows(path: Path, rows: list[Row]) -> None:
    """By the name's ending: Parquet, an Arrow stream as `datasets` writes it, a JSON array or JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pylist(rows)
        with ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def blob_id(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def messages(*turns: str) -> list[Row]:
    return [{"content": turn, "role": ("user", "assistant")[number % 2]} for number, turn in enumerate(turns)]
