"""Raw files to documents: JSON lines (.gz, .zst), Parquet and text, on datatrove's reader."""

from __future__ import annotations

import fnmatch
import glob
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson
import zstandard
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.readers.base import BaseDiskReader

from data_prep.errors import DataError
from data_prep.formats import Turn, render_chat, render_question_answer, split_worked_answer
from data_prep.schema import SourceConfig

WORLD = "world/"
_PASSAGE = 2_000


def source_files(config: SourceConfig, data_directory: Path) -> list[Path]:
    """The files of a source, sorted.

    Raises:
        DataError: there is none.
    """
    path = Path(config.path)
    if config.path.startswith(WORLD):
        path = data_directory / path
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.rglob(config.pattern) if file.is_file() and not _excluded(file, path, config)]
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file()]
    if not found:
        raise DataError("no file to read", place=str(path), remedy="correct the source's path or pattern")
    return sorted(found)


def _excluded(file: Path, root: Path, config: SourceConfig) -> bool:
    folders = file.relative_to(root).parts[:-1]
    return any(fnmatch.fnmatch(folder, pattern) for folder in folders for pattern in config.exclude)


class SourceReader(BaseDiskReader):  # type: ignore[misc]
    """Reads a source's files, one rank every world_size-th file, and renders each row in the source's format.

    A row that can't be read or rendered is a DataError that names file and line.
    """

    name = "source"

    def __init__(self, config: SourceConfig, files: list[Path]) -> None:
        super().__init__(str(files[0].parent), add_file_path=False)
        self._config = config
        self._files = files

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Documents of this rank's files, in order."""
        for file in self._files[rank::world_size]:
            for document in self.read_file(str(file)):
                self.update_doc_stats(document)
                yield document

    def read_file(self, filepath: str) -> DocumentsPipeline:
        rows = {"jsonl": self._json_lines, "parquet": self._parquet, "text": self._text}[self._config.reader]
        for number, row in rows(filepath):
            place = f"{filepath}:{number}"
            try:
                text = _render(row, self._config)
            except DataError as error:
                raise DataError(error.message, place=place, remedy=error.remedy) from None
            yield Document(text=text, id=place)

    def _json_lines(self, filepath: str) -> Iterator[tuple[int, dict[str, Any]]]:
        with _open(filepath) as handle:
            for number, line in enumerate(handle, start=1):
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise DataError(
                        f"not valid JSON ({error.msg})", place=f"{filepath}:{number}", remedy="mend or remove the line"
                    ) from None
                yield number, row

    def _parquet(self, filepath: str) -> Iterator[tuple[int, dict[str, Any]]]:
        import pyarrow.parquet as parquet

        number = 0
        try:
            with parquet.ParquetFile(filepath) as file:
                for batch in file.iter_batches(batch_size=1_000):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, row
        except OSError as error:
            raise DataError(f"not a Parquet file ({error})", place=filepath, remedy="fetch it again") from None

    def _text(self, filepath: str) -> Iterator[tuple[int, dict[str, Any]]]:
        raw = Path(filepath).read_bytes()
        text = raw.decode("utf-8", errors="replace")
        column = self._config.text
        if self._config.split == "file":
            if text.strip():
                yield 1, {column: text}
            return
        least = _PASSAGE if self._config.split == "passage" else 1
        number, first, parts = 1, 1, list[str]()
        for paragraph in text.split("\n\n"):
            parts.append(paragraph)
            number += paragraph.count("\n") + 2
            if sum(map(len, parts)) >= least:
                yield from _document(first, column, parts)
                first, parts = number, []
        yield from _document(first, column, parts)


def _open(filepath: str) -> IO[bytes]:
    """A file for reading lines, unpacked when its name ends in .gz or .zst."""
    if filepath.endswith(".gz"):
        return cast(IO[bytes], gzip.open(filepath, "rb"))
    if filepath.endswith(".zst"):
        return io.BufferedReader(cast(io.RawIOBase, zstandard.open(filepath, "rb")))
    return Path(filepath).open("rb")


def _document(line: int, column: str, paragraphs: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    text = "\n\n".join(paragraphs).strip("\n")
    if text.strip():
        yield line, {column: text}


def _render(row: Any, config: SourceConfig) -> str:
    if not isinstance(row, dict):
        raise DataError(f"expected an object, found {type(row).__name__}", remedy="write one object a row")
    if config.format == "question_answer":
        reasoning = _column(row, config.reasoning) if config.reasoning else None
        answer = _column(row, config.answer)
        if config.reasoning_until:
            reasoning, answer = split_worked_answer(answer, config.reasoning_until)
        return render_question_answer(_column(row, config.question), answer, reasoning)
    if config.format == "chat":
        return render_chat([_turn(turn) for turn in _column(row, config.messages, list)])
    return str(_column(row, config.text))


def _column(row: dict[str, Any], name: str, kind: type = str) -> Any:
    value = row.get(name)
    if not isinstance(value, kind):
        found = f"{type(value).__name__}" if name in row else "nothing"
        raise DataError(
            f"column {name!r} should hold {kind.__name__}, found {found}",
            remedy=f"correct the source's columns (here: {', '.join(row)})",
        )
    return value


def _turn(turn: Any) -> Turn:
    role = turn.get("role", turn.get("from")) if isinstance(turn, dict) else None
    content = turn.get("content", turn.get("value")) if isinstance(turn, dict) else None
    if not isinstance(role, str) or not isinstance(content, str):
        raise DataError("a turn without role and content", remedy="write turns as {role, content}")
    return Turn(role, content)
