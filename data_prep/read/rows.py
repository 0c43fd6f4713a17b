"""Rows of a span, each with its place; a bad row is an error that names it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import zstandard

from data_prep.errors import DataError
from data_prep.read.columns import needed_columns
from data_prep.read.files import open_file
from data_prep.read.text import passages
from data_prep.read.units import Span, Unit
from data_prep.schema import SourceConfig

LONGEST_ROW = 32 << 20
"""Bytes of a line of JSON; a longer one is a bad row, so that memory stays bounded."""

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Row:
    """`place` is file and row; `values` holds the columns and `@path`, `@part`."""

    part: str
    place: str
    values: dict[str, Any]


OnBadRow = Callable[[DataError], None]


def raise_bad_row(error: DataError) -> None:
    raise error


def read_unit(unit: Unit, parts: Mapping[str, SourceConfig], on_bad_row: OnBadRow | None = None) -> Iterator[Row]:
    """The rows of a unit in order. `on_bad_row` is told of rows that are dropped; without it they are passed over.

    Raises:
        DataError: a file can't be read; a bad row, where the source says stop.
    """
    for span in unit.spans:
        config = parts[span.part]
        told = raise_bad_row if config.bad_rows == "stop" else (on_bad_row or (lambda error: None))
        yield from read_span(span, config, told)


def read_span(span: Span, config: SourceConfig, on_bad_row: OnBadRow = raise_bad_row) -> Iterator[Row]:
    """The rows of one span; see `read_unit`."""
    rows = {"jsonl": _json_lines, "parquet": _parquet, "arrow": _arrow, "text": _text}[span.reader]
    for place, values in rows(span, config, on_bad_row):
        values["@path"], values["@part"] = span.name, span.part
        yield Row(span.part, place, values)


def _json_lines(span: Span, config: SourceConfig, on_bad_row: OnBadRow) -> Iterator[tuple[str, dict[str, Any]]]:
    with open_file(span.address) as handle:
        if span.name.endswith(".json") and _begins_an_array(handle):
            yield from _json_array(span, handle, on_bad_row)
            return
        for number, line in _lines(span, handle, on_bad_row):
            if not line.strip():
                continue
            place = f"{span.address}:{number}" if not span.start else f"{span.address}[{span.start}]:{number}"
            try:
                row = orjson.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"expected an object, found {type(row).__name__}")
            except (orjson.JSONDecodeError, DataError) as error:
                reason = error.message if isinstance(error, DataError) else f"not valid JSON ({error})"
                on_bad_row(DataError(reason, place=_line_place(span, number), remedy="mend or remove the line"))
                continue
            yield place, row


def _lines(span: Span, handle: IO[bytes], on_bad_row: OnBadRow) -> Iterator[tuple[int, bytes]]:
    """Lines that begin in the span, with their number in it, from 1."""
    position, stop, number = span.start, span.stop, 0
    try:
        if span.start:
            handle.seek(span.start - 1)
            position += _skip_line(handle, b"") - 1  # the line that began in the span before
        while stop is None or position < stop:
            line = handle.readline(LONGEST_ROW + 1)
            if not line:
                return
            number += 1
            position += len(line)
            if len(line) > LONGEST_ROW:
                skipped = _skip_line(handle, line)
                position += skipped
                on_bad_row(
                    DataError(
                        f"a line of {(len(line) + skipped) / 2**20:,.0f} MiB, at most {LONGEST_ROW >> 20} are read",
                        place=_line_place(span, number),
                        remedy="split the document, or set the source's bad_rows to drop",
                    )
                )
                continue
            yield number, line
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
        raise DataError(
            f"the file is damaged or cut short after line {number:,} ({error})",
            place=_line_place(span, number + 1),
            remedy="fetch it again",
        ) from None


def _skip_line(handle: IO[bytes], begun: bytes) -> int:
    """Reads to the end of the line of which `begun` was read; returns the number of bytes."""
    skipped = 0
    while not begun.endswith(b"\n") and (begun := handle.readline(1 << 20)):
        skipped += len(begun)
    return skipped


def _line_place(span: Span, number: int) -> str:
    """file:line, counted from the beginning of the file."""
    before = 0
    if span.start:
        with open_file(span.address) as handle:
            left = span.start
            while left and (block := handle.read(min(left, 1 << 20))):
                before += block.count(b"\n")
                left -= len(block)
            # a line that only ends in this span belongs to the one before
            handle.seek(span.start - 1)
            before += handle.read(1) != b"\n"
    return f"{span.address}:{before + number}"


def _begins_an_array(handle: IO[bytes]) -> bool:
    begin = handle.read(64).lstrip()
    handle.seek(0)
    return begin.startswith(b"[")


def _json_array(span: Span, handle: IO[bytes], on_bad_row: OnBadRow) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        rows = orjson.loads(handle.read())
    except orjson.JSONDecodeError as error:
        raise DataError(f"not valid JSON ({error})", place=span.address, remedy="fetch it again") from None
    for number, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            yield f"{span.address}:{number}", row
        else:
            on_bad_row(
                DataError(
                    f"expected an object, found {type(row).__name__}",
                    place=f"{span.address}:{number}",
                    remedy="write a list of objects",
                )
            )


def _parquet(span: Span, config: SourceConfig, on_bad_row: OnBadRow) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with open_file(span.address) as handle:
            file = parquet.ParquetFile(handle)
            number = sum(file.metadata.row_group(group).num_rows for group in range(span.start))
            columns = needed_columns(config, file.schema_arrow.names)
            groups = list(range(span.start, span.stop or file.num_row_groups))
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=groups, columns=columns):
                for row in _dicts(batch, f"{span.address}:{number + 1}"):
                    number += 1
                    yield f"{span.address}:{number}", row
    except (OSError, pa.ArrowException) as error:
        raise _damaged(span, "Parquet", number, error) from None


def _arrow(span: Span, config: SourceConfig, on_bad_row: OnBadRow) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with open_file(span.address) as handle:
            is_file = handle.read(6) == b"ARROW1"
            handle.seek(0)
            reader = ipc.open_file(handle) if is_file else ipc.open_stream(handle)
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches)) if is_file else iter(reader)
            for batch in batches:
                for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                    for row in _dicts(batch.slice(start, _ROWS_AT_ONCE), f"{span.address}:{number + 1}"):
                        number += 1
                        yield f"{span.address}:{number}", row
    except (OSError, pa.ArrowException) as error:
        raise _damaged(span, "Arrow", number, error) from None


def _dicts(batch: Any, place: str) -> list[dict[str, Any]]:
    """The rows of a batch. Text that isn't UTF-8 is an error: Parquet's writers don't check it."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError as error:
        raise DataError(f"text that isn't UTF-8 ({error})", place=place, remedy="fetch the file again") from None
    return rows


def _damaged(span: Span, what: str, number: int, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(
        f"the {what} file is damaged or cut short after row {number:,} ({reason})",
        place=f"{span.address}:{number + 1}",
        remedy="fetch it again",
    )


def _text(span: Span, config: SourceConfig, on_bad_row: OnBadRow) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with open_file(span.address) as handle:
            raw = handle.read()
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
        raise DataError(
            f"the file is damaged or cut short ({error})", place=span.address, remedy="fetch it again"
        ) from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        on_bad_row(
            DataError(
                f"not UTF-8 ({error.reason} at byte {error.start})",
                place=f"{span.address}:{line}",
                remedy="convert the file, leave it out (exclude), or set the source's bad_rows to drop",
            )
        )
        return
    for line, document in passages(text, config.split):
        yield f"{span.address}:{line}", {config.text: document}
