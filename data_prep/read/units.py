"""Units of work: a source's files cut into stretches that depend on the files alone, not on who reads them.

Units are processed in any order by any number of processes; what they make is put together in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from data_prep.errors import DataError
from data_prep.read.files import RawFile, open_file, reader_of, source_files
from data_prep.schema import SourceConfig

LEAST_BYTES = 16 << 20
MOST_BYTES = 1 << 30
MOST_UNITS = 512
"""A unit is the source's size over this, but neither less nor more than the two bounds."""


@dataclass(frozen=True)
class Span:
    """A stretch of a file: bytes of JSON lines (lines that begin in it), row groups of Parquet; else the whole file."""

    part: str
    address: str
    name: str
    reader: str
    start: int
    stop: int | None
    size: int


@dataclass(frozen=True)
class Unit:
    """Spans that are read together, in order."""

    number: int
    spans: tuple[Span, ...]


def plan_units(part: str, config: SourceConfig, directory: Path, first: int = 0) -> list[Unit]:
    """The units of one source or part, numbered from `first`.

    Raises:
        DataError: no file, or a Parquet file whose row groups can't be read.
    """
    files = source_files(config, directory)
    size = min(MOST_BYTES, max(LEAST_BYTES, sum(file.size for file in files) // MOST_UNITS))
    units: list[Unit] = []
    gathered: list[Span] = []
    for span in (span for file in files for span in _spans(part, config, file, size)):
        gathered.append(span)
        if sum(one.size for one in gathered) >= size:
            units.append(Unit(first + len(units), tuple(gathered)))
            gathered = []
    if gathered:
        units.append(Unit(first + len(units), tuple(gathered)))
    return units


def _spans(part: str, config: SourceConfig, file: RawFile, size: int) -> Iterator[Span]:
    reader = reader_of(config, file)
    if reader == "jsonl" and not file.packed and not file.name.endswith(".json"):
        for start in range(0, file.size, size):
            stop = min(start + size, file.size)
            yield Span(part, file.address, file.name, reader, start, stop, stop - start)
    elif reader == "parquet":
        yield from _row_groups(part, file, size)
    else:
        yield Span(part, file.address, file.name, reader, 0, None, file.size)


def _row_groups(part: str, file: RawFile, size: int) -> Iterator[Span]:
    try:
        with open_file(file.address) as handle:
            metadata = parquet.ParquetFile(handle).metadata
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"not a Parquet file ({error})", place=file.address, remedy="fetch it again") from None
    first, gathered = 0, 0
    for group in range(metadata.num_row_groups):
        gathered += metadata.row_group(group).total_byte_size
        if gathered >= size or group + 1 == metadata.num_row_groups:
            yield Span(part, file.address, file.name, "parquet", first, group + 1, gathered)
            first, gathered = group + 1, 0
