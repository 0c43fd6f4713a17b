"""How a source is packed."""

from __future__ import annotations

from dataclasses import dataclass

from data_prep.errors import UsageError
from data_prep.pack.split import check_overlap


@dataclass(frozen=True)
class PackSettings:
    """All but the last are in tokens.

    capacity: what a pack holds.
    overlap: what a piece of a split document repeats of the piece before; repeated tokens are trained on twice.
    min_tokens: shorter documents are left out and counted. The last piece of a split document may be shorter.
    buffer_documents: documents that are packed together. More fill packs better and take memory, about 150 bytes each.

    Raises:
        UsageError: a value that can't work.
    """

    capacity: int
    overlap: int = 0
    min_tokens: int = 0
    buffer_documents: int = 1_000_000

    def __post_init__(self) -> None:
        check_overlap(self.capacity, self.overlap)
        if self.min_tokens < 0 or self.buffer_documents < 1:
            raise UsageError(
                f"min_tokens {self.min_tokens:,}, buffer_documents {self.buffer_documents:,}",
                remedy="choose min_tokens of at least 0 and buffer_documents of at least 1",
            )
