"""A tokenised source into packs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from data_prep.errors import DataError, UsageError
from data_prep.files import sync_directory
from data_prep.index import IndexedFile, IndexWriter
from data_prep.pack.best_fit import best_fit_decreasing
from data_prep.pack.report import PackReport, report_path, source_content, unchanged_report, write_record
from data_prep.pack.settings import PackSettings
from data_prep.pack.split import split_long
from data_prep.pack.stream import Buffer, read_buffers


def pack_source(prefix: Path, out: Path, settings: PackSettings) -> PackReport:
    """Packs the documents of `prefix` into `out`: a pack is a document there, its pieces are that document's sequences.

    A buffer of documents is packed at a time, so memory doesn't grow with the source but by 12 bytes a piece. The same
    source and settings give the same files; where these are already there with their report, nothing is written.

    Raises:
        UsageError: `out` is the source.
        DataError: the source is missing or damaged, or nothing is left to pack. What `out` held is then still there.
    """
    if out.resolve() == prefix.resolve():
        raise UsageError("a pack can't replace its source", place=str(prefix), remedy="give another output")
    file = IndexedFile(prefix)
    source = source_content(prefix)
    unchanged = unchanged_report(out, settings, source)
    if unchanged is not None:
        return unchanged
    with IndexWriter(out, vocab_size=0, dtype=file.dtype) as writer:
        counts = _Counts()
        for buffer in read_buffers(file, settings.buffer_documents):
            _pack_buffer(prefix, buffer, settings, writer, counts)
        if not writer.documents:
            raise DataError(
                f"none of {counts.documents:,} documents has {max(1, settings.min_tokens):,} tokens",
                place=str(prefix),
                remedy="lower min_tokens",
            )
        # a report must never stand beside the files of another run
        report_path(out).unlink(missing_ok=True)
        sync_directory(out.parent)
    written = writer.written
    assert written is not None
    report = PackReport(
        documents=counts.documents,
        dropped_short=counts.dropped_short,
        dropped_tokens=counts.dropped_tokens,
        split=counts.split,
        pieces=written.sequences,
        packs=written.documents,
        tokens=written.tokens,
        repeated_tokens=counts.dropped_tokens + written.tokens - file.tokens,
        fill=written.tokens / (written.documents * settings.capacity),
    )
    write_record(out, settings, source, report, written)
    return report


@dataclass
class _Counts:
    documents: int = 0
    dropped_short: int = 0
    dropped_tokens: int = 0
    split: int = 0


def _pack_buffer(prefix: Path, buffer: Buffer, settings: PackSettings, writer: IndexWriter, counts: _Counts) -> None:
    kept = buffer.lengths >= max(1, settings.min_tokens)
    counts.documents += len(kept)
    counts.dropped_short += int(np.count_nonzero(~kept))
    counts.dropped_tokens += int(buffer.lengths[~kept].sum())
    counts.split += int(np.count_nonzero(buffer.lengths[kept] > settings.capacity))
    pieces = split_long(buffer.lengths[kept], settings.capacity, settings.overlap)
    packs = best_fit_decreasing(pieces.lengths, settings.capacity)
    starts = (buffer.starts[kept][pieces.documents] + pieces.starts)[packs.order].tolist()
    lengths = pieces.lengths[packs.order].tolist()
    edges = packs.starts.tolist()
    # opened for this buffer alone, so that the pages it touches are let go with it
    file = IndexedFile(prefix)
    for first, end in pairwise(edges):
        places = zip(starts[first:end], lengths[first:end], strict=True)
        writer.add_document([file.read(start, length) for start, length in places])
