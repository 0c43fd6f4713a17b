"""Blob ids for RefineCode's metadata, from the metadata of the Stack v2, out of core.

RefineCode is published as repository and path (`sub_path`, without the leading slash that the Stack v2 has).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from data_prep.errors import DataError, UsageError

RESOLVED = "resolved"
"""Folder below the source's that the card reads."""


@dataclass(frozen=True)
class Resolved:
    """Rows of the metadata, and of those the ones whose blob_id was found."""

    rows: int
    found: int

    @property
    def share(self) -> float:
        return self.found / self.rows if self.rows else 0.0


def resolve_blob_ids(
    source: Path, stack: Path, *, memory: str = "8GB", threads: int | None = None, scratch: Path | None = None
) -> Resolved:
    """Writes `source`/resolved/*.parquet: repo_name, path, program_lang, blob_id, src_encoding of each file found.

    A repository's file is taken once. Memory stays within about `memory`; what doesn't fit goes to `scratch` (default:
    beside the result), which needs room for both sets of metadata.

    Args:
        source: Folder of RefineCode-code-corpus-meta (Parquet: repo_name, sub_path, program_lang).
        stack: Folder of bigcode/the-stack-v2 (Parquet: repo_name, path, blob_id, src_encoding).

    Raises:
        UsageError: duckdb isn't installed.
        DataError: a folder has no Parquet file, or one can't be read or lacks a column.
    """
    duckdb = _duckdb()
    metadata = [file for file in _parquet_files(source) if RESOLVED not in file.relative_to(source).parts]
    if not metadata:
        raise _nothing(source)
    stack_files = _parquet_files(stack)
    metadata = [file for file in metadata if file not in set(stack_files)]
    target, scratch = source / RESOLVED, scratch or source / ".scratch"
    unfinished = source / f".{RESOLVED}.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        with duckdb.connect() as session:
            settings = {"memory_limit": memory, "temp_directory": str(scratch), "preserve_insertion_order": "false"}
            for name, setting in {**settings, **({"threads": str(threads)} if threads else {})}.items():
                session.execute(f"SET {name} = '{_quoted(setting)}'")
            session.execute(_QUERY.format(target=_quoted(str(unfinished))), [_names(metadata), _names(stack_files)])
            found = _count(session, "SELECT count(*) FROM read_parquet($1)", _names(_parquet_files(unfinished)))
            rows = _count(session, _METADATA_ROWS, _names(metadata))
    except duckdb.Error as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise DataError(
            f"can't be joined ({str(error).splitlines()[0]})",
            place=f"{source}, {stack}",
            remedy="fetch the Parquet files again; give more memory or scratch room if that is what lacks",
        ) from None
    finally:
        if scratch == source / ".scratch":
            shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return Resolved(rows, found)


_QUERY = """
COPY (
    SELECT meta.repo_name, meta.path, meta.program_lang, stack.blob_id, stack.src_encoding
    FROM (
        SELECT repo_name, '/' || ltrim(sub_path, '/') AS path, min(program_lang) AS program_lang
        FROM read_parquet($1, union_by_name = true) GROUP BY ALL
    ) AS meta
    JOIN (
        SELECT repo_name, path, min(blob_id) AS blob_id, arg_min(src_encoding, blob_id) AS src_encoding
        FROM read_parquet($2, union_by_name = true)
        SEMI JOIN (SELECT DISTINCT repo_name FROM read_parquet($1, union_by_name = true)) USING (repo_name)
        GROUP BY repo_name, path
    ) AS stack USING (repo_name, path)
) TO '{target}' (FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES '512MB')
"""

_METADATA_ROWS = (
    "SELECT count(*) FROM (SELECT DISTINCT repo_name, sub_path FROM read_parquet($1, union_by_name = true))"
)


def _count(session: object, query: str, files: list[str]) -> int:
    row = session.execute(query, [files]).fetchone()  # type: ignore[attr-defined]
    return int(row[0])


def _duckdb() -> ModuleType:
    try:
        import duckdb
    except ImportError:
        raise UsageError(
            "joining RefineCode's metadata needs duckdb",
            remedy="pip install 'prism-megatron[joins]', or take the card refine_code_open, whose text is inline",
        ) from None
    return duckdb


def _parquet_files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise _nothing(folder)
    return files


def _nothing(folder: Path) -> DataError:
    return DataError("no Parquet file", place=str(folder), remedy="fetch the metadata into this folder")


def _names(files: Sequence[Path]) -> list[str]:
    return [str(file) for file in files]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
