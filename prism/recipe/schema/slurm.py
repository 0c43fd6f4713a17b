"""`cluster.slurm`: how a stage becomes a batch job."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class SlurmConfig(Section):
    """What a cluster wants to know of a job."""

    partition: str | None = Field(None, description="Partition; null takes the cluster's default.")
    account: str | None = Field(None, description="Account; null takes the user's default.")
    mounts: list[str] = Field(default_factory=list, description="Folders that containers see, as host:container.")
