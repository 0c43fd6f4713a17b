"""Raw files to rows: JSON lines, Parquet, Arrow and text, from disks and from the hub, cut into units of work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.read.rows import Row, read_span, read_unit
from data_prep.read.units import Span, Unit, plan_units
from data_prep.schema import SourceConfig

__all__ = ["Row", "Span", "Unit", "plan_units", "read_rows", "read_span", "read_unit"]


def read_rows(config: SourceConfig, directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of a source without parts, as (place, values), in order.

    Raises:
        DataError: no file, or one that can't be read; a bad row, unless the source drops those.
    """
    for unit in plan_units("source", config, directory):
        for row in read_unit(unit, {"source": config}):
            yield row.place, row.values
