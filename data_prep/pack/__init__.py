"""Best-Fit Decreasing packing: short documents side by side in sequences of one length, with little room left over.

On disk a pack is a document and its pieces are that document's sequences, so any reader of .bin/.idx opens it.
"""

from __future__ import annotations

from data_prep.pack.best_fit import Packs, best_fit_decreasing
from data_prep.pack.boundaries import cumulative_lengths, document_ends, sequence_index
from data_prep.pack.report import PackedFiles, PackReport, read_pack_report, read_packed_files, report_path
from data_prep.pack.rows import PackedRow, PackedSequences
from data_prep.pack.settings import PackSettings
from data_prep.pack.split import Pieces, split_long
from data_prep.pack.write import pack_source

__all__ = [
    "PackReport",
    "PackSettings",
    "PackedFiles",
    "PackedRow",
    "PackedSequences",
    "Packs",
    "Pieces",
    "best_fit_decreasing",
    "cumulative_lengths",
    "document_ends",
    "pack_source",
    "read_pack_report",
    "read_packed_files",
    "report_path",
    "sequence_index",
    "split_long",
]
