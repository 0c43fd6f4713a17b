"""`midtrain.nemo`: NeMo as the engine of a training stage."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class NemoConfig(Section):
    """What a NeMo run needs beside the keys of `midtrain` (with `midtrain.engine: nemo`)."""

    container: str = Field("nvcr.io#nvidia/nemo:25.11", description="Container image that brings NeMo.")
