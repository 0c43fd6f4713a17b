"""How documents are packed; a training stage says so, not the data section."""

from __future__ import annotations

from pydantic import Field

from data_prep.schema.base import Section


class Packing(Section):
    """Best-Fit Decreasing packs of a source (section 8.1)."""

    capacity: int = Field(gt=0, description="Tokens that a pack holds: the sequence length.")
    overlap: int = Field(0, ge=0, description="Tokens that a piece of a split document repeats of the one before.")
    min_tokens: int = Field(0, ge=0, description="Shorter documents are left out.")

    @property
    def label(self) -> str:
        """Short name for files: pack-8192, or pack-8192-64-1024 with overlap and least tokens."""
        more = f"-{self.overlap}-{self.min_tokens}" if self.overlap or self.min_tokens else ""
        return f"pack-{self.capacity}{more}"


def lock_name(blend: str, packing: Packing | None = None) -> str:
    """File name of a blend's lock."""
    return f"{blend}.lock.json" if packing is None else f"{blend}.{packing.label}.lock.json"
