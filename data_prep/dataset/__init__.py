"""Training samples of locked blends, found by arithmetic: no index is built, and none can go stale."""

from __future__ import annotations

from data_prep.dataset.blended import BlendedDataset, Sample, Segment
from data_prep.dataset.chunks import Chunks
from data_prep.dataset.open import open_samples, order_of, order_path, orders_folder
from data_prep.dataset.training import ChunkRows, PackRows, TrainingRow

__all__ = [
    "BlendedDataset",
    "ChunkRows",
    "Chunks",
    "PackRows",
    "Sample",
    "Segment",
    "TrainingRow",
    "open_samples",
    "order_of",
    "order_path",
    "orders_folder",
]
