"""Some columns of a file of any kind."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as parquet
import zstandard

from data_prep.errors import DataError
from data_prep.rows import Row


def read_columns(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a Parquet, Arrow or JSON-lines file (.gz, .zst), with those of the columns that it has.

    The first column is required.

    Raises:
        DataError: the file can't be read, or lacks the first column.
    """
    reader = {"parquet": _parquet, "arrow": _arrow}.get(file.suffix.removeprefix("."), _json_lines)
    try:
        for number, row in enumerate(reader(file, columns), start=1):
            if columns[0] not in row:
                raise DataError(
                    f"no column {columns[0]!r}", place=f"{file}:{number}", remedy="fetch the file of the right data set"
                )
            yield row
    except (OSError, EOFError, pa.ArrowException, orjson.JSONDecodeError, zstandard.ZstdError) as error:
        raise DataError(f"can't be read ({error})", place=str(file), remedy="fetch it again") from None


def _parquet(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    with parquet.ParquetFile(file) as opened:
        present = [name for name in columns if name in opened.schema_arrow.names]
        for batch in opened.iter_batches(batch_size=1_000, columns=present):
            yield from batch.to_pylist()


def _arrow(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    with pa.memory_map(str(file)) as source:
        try:
            batches: Any = pa.ipc.open_stream(source)
        except pa.ArrowInvalid:
            opened = pa.ipc.open_file(source)
            batches = (opened.get_batch(number) for number in range(opened.num_record_batches))
        for batch in batches:
            yield from batch.select([name for name in columns if name in batch.schema.names]).to_pylist()


def _json_lines(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    with _open(file) as lines:
        for line in lines:
            if line.strip():
                row = orjson.loads(line)
                yield {name: row[name] for name in columns if name in row}


def _open(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file))
    if file.suffix == ".zst":
        return cast(IO[bytes], zstandard.open(file, "rb"))
    return file.open("rb")
