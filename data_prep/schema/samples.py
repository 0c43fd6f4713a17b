"""What a training stage asks of a run's data."""

from __future__ import annotations

from pydantic import Field

from data_prep.schema.base import Section
from data_prep.schema.packing import Packing


class RunSamples(Section):
    """The samples of a training stage, first to last."""

    blends: tuple[tuple[int, str], ...] = Field(description="(first sample, blend), by rising sample, the first at 0.")
    length: int = Field(gt=0, description="Tokens of a sample.")
    samples: int = Field(gt=0, description="How many there are.")
    packing: Packing | None = Field(None, description="How sources are packed; None where documents are concatenated.")
    documents_apart: bool = Field(False, description="Whether documents in a sample don't see each other.")
    loss_on_end: bool = Field(True, description="Whether the end token's position counts in the loss.")
