"""`midtrain.nemo`: NeMo as the engine of a training stage."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class NemoConfig(Section):
    """What a NeMo run needs beside the keys of `midtrain` (with `midtrain.engine: nemo`)."""

    container: str = Field(
        "prism-nemo:25.11",
        description="Container image that brings NeMo and this package's base install (containers/nemo/Dockerfile).",
    )
    require: list[str] = Field(
        default_factory=list,
        description="Keys that NeMo may pass over, such as cluster.loss_chunk_tokens, and that must be honoured: the "
        "stage is refused where NeMo can't. `prism nemo support RECIPE` lists them.",
    )
