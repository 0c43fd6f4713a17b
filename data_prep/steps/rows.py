"""Steps on rows: read, keep, look up, draw, render."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from data_prep.errors import DataError
from data_prep.joins import open_join
from data_prep.read import Unit, read_unit
from data_prep.render import render
from data_prep.rows import Keep
from data_prep.sampling import Draw, KeyWriter
from data_prep.schema import SourceConfig

Parts = Mapping[str, SourceConfig]


class RowStep(PipelineStep):  # type: ignore[misc]
    """A step that drops rows, counting why. A bad row stops the work or is dropped, as its source says."""

    type = "rows"

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts

    def drop(self, reason: str) -> None:
        """Counts a dropped row."""
        self.stat_update("dropped", f"dropped: {reason}")

    def bad(self, document: Document, error: DataError) -> None:
        """Stops, or counts the bad row."""
        named = DataError(error.message, place=document.id, remedy=error.remedy)
        if self.parts[document.metadata["part"]].bad_rows == "stop":
            raise named from None
        self.drop(f"bad row: {error.message}"[:200])


class ReadRows(RowStep):
    """The rows of the unit that has the task's rank as its number."""

    name = "read"

    def __init__(self, parts: Parts, units: Sequence[Unit]) -> None:
        super().__init__(parts)
        self._units = units

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        def bad_row(error: DataError) -> None:
            self.drop(f"bad row: {error.message}"[:200])

        for row in read_unit(self._units[rank], self.parts, bad_row):
            self.stat_update("rows")
            yield Document(text="", id=row.place, metadata={"part": row.part, "row": row.values})


class KeepRows(RowStep):
    """Drops rows that don't meet their source's conditions."""

    name = "keep"

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        rules = {part: Keep(config.keep) for part, config in self.parts.items() if config.keep}
        for document in data:
            keep = rules.get(document.metadata["part"])
            try:
                reason = keep.drop_reason(document.metadata["row"]) if keep is not None else None
            except DataError as error:
                self.bad(document, error)
                continue
            if reason is None:
                yield document
            else:
                self.drop(reason)


class JoinRows(RowStep):
    """Adds text that is looked up in other data; one row may become several."""

    name = "join"

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        joins = {
            part: open_join(config.join, config.path) for part, config in self.parts.items() if config.join is not None
        }
        for document in data:
            part = document.metadata["part"]
            if part not in joins:
                yield document
                continue
            found = 0
            try:
                for row in joins[part](document.metadata["row"]):
                    place = f"{document.id}/{found}" if found else document.id
                    found += 1
                    yield Document(text="", id=place, metadata={"part": part, "row": row})
            except DataError as error:
                self.bad(document, error)
                continue
            if not found:
                self.drop("no text found by the join")
        for join in joins.values():
            for reason, count in join.missing.items():
                self.stat_update(f"not joined: {reason}", value=count)


class CollectKeys(RowStep):
    """First pass of a draw: writes the random keys of a unit's rows. Ends the pipeline."""

    name = "draw: keys"

    def __init__(self, parts: Parts, folder: Path) -> None:
        super().__init__(parts)
        self._folder = folder

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        writers = {part: KeyWriter(config.sample) for part, config in self.parts.items() if config.sample is not None}
        for document in data:
            part = document.metadata["part"]
            if part in writers:
                try:
                    writers[part].add(document.metadata["row"], document.id)
                except DataError as error:
                    self.bad(document, error)
        for part, writer in writers.items():
            writer.save(self._folder / part / f"{rank:05d}.npz")
        yield from ()


class DrawRows(RowStep):
    """Second pass of a draw: keeps the rows that were drawn."""

    name = "draw"

    def __init__(self, parts: Parts, draws: Mapping[str, Draw]) -> None:
        super().__init__(parts)
        self._draws = draws

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        for document in data:
            draw = self._draws.get(document.metadata["part"])
            reason = draw.drop_reason(document.metadata["row"], document.id) if draw is not None else None
            if reason is None:
                yield document
            else:
                self.drop(reason)


class Render(RowStep):
    """Rows to text, in their source's format."""

    name = "format"

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        for document in data:
            try:
                text = render(document.metadata["row"], self.parts[document.metadata["part"]])
            except DataError as error:
                self.bad(document, error)
                continue
            self.stat_update("documents")
            yield Document(text=text, id=document.id)
