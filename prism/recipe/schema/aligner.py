"""`rl.aligner`: NeMo-Aligner as the RL engine."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class AlignerRewardsConfig(Section):
    """The process that judges responses with this package's verifiers, on a node of the job."""

    container: str | None = Field(
        "prism-rewards:0.7.0", description="Container image; null runs on the node itself, without one."
    )
    triton_python: str = Field(
        "/opt/triton/bin/python", description="Python that has nvidia-pytriton, which needs numpy below 2."
    )
    prism_python: str = Field("/opt/prism/bin/python", description="Python that has this package, with its data extra.")
    port: int = Field(5555, gt=1023, lt=65_536, description="TCP port that the actor asks for rewards.")
    cpus: int = Field(16, gt=0, description="CPU cores on the job's first node.")


class AlignerConfig(Section):
    """What a NeMo-Aligner job needs beside the keys of `rl` (with `rl.engine: aligner`)."""

    container: str = Field("prism-aligner:0.7.0", description="Container image, built from the Dockerfile of v0.7.0.")
    folder: str = Field("/opt/NeMo-Aligner", description="Aligner's repository in the container, at tag v0.7.0.")
    nemo_folder: str = Field("/opt/NeMo", description="NeMo's repository in the container: its checkpoint converters.")
    time_limit_minutes: int = Field(
        240, gt=30, description="Slurm's time limit; 20 minutes before it the actor saves and ends."
    )
    validation_prompts: int = Field(
        128, gt=0, description="Prompts held out of training, one response each at every checkpoint."
    )
    rollout_micro_batch_size: int = Field(
        8, gt=0, description="Most prompts that a replica answers at once; the largest number that divides is taken."
    )
    trt_llm: bool = Field(True, description="Whether TensorRT-LLM samples the responses; false takes NeMo's own loop.")
    rewards: AlignerRewardsConfig = Field(
        default_factory=AlignerRewardsConfig, description="The process that judges responses."
    )
    require: list[str] = Field(
        default_factory=list,
        description="Keys of rl that must be honoured, such as importance_cap: the job is refused where Aligner can't.",
    )
