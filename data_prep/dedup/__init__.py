"""Deduplication of a source's documents: exact, and near-duplicates by MinHash."""

from data_prep.dedup.steps import CollectSignatures, DropDuplicates, FindDuplicates, find_duplicates
from data_prep.dedup.store import DedupReport

__all__ = ["CollectSignatures", "DedupReport", "DropDuplicates", "FindDuplicates", "find_duplicates"]
