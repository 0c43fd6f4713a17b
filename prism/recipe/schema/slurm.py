"""`cluster.slurm`: how a stage becomes a batch job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class SlurmConfig(Section):
    """What a cluster wants to know of a job. A stage changes it in its node: `pipeline.NAME.cluster.slurm`."""

    partition: str | None = Field(None, description="Partition; null takes the cluster's default.")
    cpu_partition: str | None = Field(
        None,
        description="Partition of jobs that use no device: data, prompts, import, merge, report. null: partition.",
    )
    account: str | None = Field(None, description="Account; null takes the user's default.")
    qos: str | None = Field(None, description="Quality of service; null takes the account's default.")
    reservation: str | None = Field(None, description="Reservation; null means none.")
    constraint: str | None = Field(None, description="Features that nodes must have, as sbatch's --constraint.")
    exclude: list[str] = Field(default_factory=list, description="Nodes that no job is put on.")
    time_limit_minutes: int = Field(
        240, gt=0, description="Time limit of a job. A job that needs longer saves itself, and goes on in the queue."
    )
    warning_s: int = Field(
        300,
        gt=0,
        lt=65_536,
        description="How long before the time limit a stage is asked to save itself, in seconds: more than a step and "
        "a checkpoint take. Slurm may ask up to a minute earlier.",
    )
    max_requeues: int = Field(50, ge=0, description="How often a job may go back into the queue.")
    exclusive: bool = Field(True, description="Whether jobs that use devices have their nodes to themselves.")
    gpus: bool = Field(True, description="Whether jobs ask for GPUs, one a process; false on clusters without.")
    cpus_per_process: int | None = Field(None, gt=0, description="CPU cores a process; null takes the default.")
    cpu_job_cores: int = Field(8, gt=0, description="CPU cores of a job that uses no device.")
    memory_gib_per_node: int | None = Field(None, gt=0, description="Memory of a node; null takes the default.")
    container: str | None = Field(
        None,
        description="Image, as pyxis takes it: a .sqsh file or registry#image:tag. null runs on the node itself.",
    )
    mounts: list[str] = Field(
        default_factory=list,
        description="Folders that containers see, as host:container; the run's folder and the working folder are seen "
        "anyway, under their own paths.",
    )
    python: str = Field("python", description="Python that has this package, in the container or on the nodes.")
    prologue: list[str] = Field(
        default_factory=list, description="Shell lines on the first node before anything else, such as module load."
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Environment of every process: NCCL's and the network's settings stand here."
    )
    secrets: list[str] = Field(
        default_factory=list,
        description="Names of environment variables whose values are taken along from where the job is submitted. "
        "Values never stand in scripts; Slurm keeps them while the job exists.",
    )
    secrets_file: str | None = Field(
        None,
        description="File of NAME=value lines on the nodes, which only its owner may read: nothing goes through Slurm.",
    )
    resiliency: Literal["none", "nvrx"] = Field(
        "none",
        description="What restarts processes inside a job: nothing (Slurm puts the job back), or ft_launcher of "
        "nvidia-resiliency-ext.",
    )
