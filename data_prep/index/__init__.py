"""Megatron's indexed token files, .bin and .idx, written, read, merged and checked without Megatron."""

from __future__ import annotations

from data_prep.index.format import bin_path, idx_path, token_dtype
from data_prep.index.merge import merge_indexes
from data_prep.index.reader import IndexedFile
from data_prep.index.writer import IndexWriter, Written

__all__ = ["IndexWriter", "IndexedFile", "Written", "bin_path", "idx_path", "merge_indexes", "token_dtype"]
