"""`rl.aligner`: NeMo-Aligner as the RL engine."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class AlignerConfig(Section):
    """What a NeMo-Aligner job needs beside the keys of `rl` (with `rl.engine: aligner`)."""

    container: str = Field("prism-aligner:0.7.0", description="Container image of containers/aligner.")
