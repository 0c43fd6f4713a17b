"""Looking inside: samples as text, statistics, verification of files, ours and others'."""

from __future__ import annotations

from data_prep.look.escape import escaped
from data_prep.look.samples import Shown, show_documents, show_row
from data_prep.look.statistics import SourceStatistics, statistics_of
from data_prep.look.verify import Finding, verify_directory, verify_pair

__all__ = [
    "Finding",
    "Shown",
    "SourceStatistics",
    "escaped",
    "show_documents",
    "show_row",
    "statistics_of",
    "verify_directory",
    "verify_pair",
]
