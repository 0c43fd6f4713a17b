"""`rl.generator` and `rl.placement`: who samples the responses, and where everything lies meanwhile."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class VllmConfig(Section):
    """vLLM servers that sample the responses (docs/howto/vllm.md). The paper doesn't say what sampled its own."""

    urls: list[str] = Field(
        default_factory=list,
        description="Addresses of servers that run already, such as http://node7:8000; none: the stage starts its own.",
    )
    command: list[str] = Field(
        default_factory=lambda: ["vllm", "serve"],
        min_length=1,
        description="How a server is started; model folder and options follow. For a container, what runs it comes "
        "first.",
    )
    arguments: list[str] = Field(default_factory=list, description="Further options of a server that is started.")
    engines: int = Field(1, gt=0, description="Servers that are started, each with all weights.")
    tensor_parallel: int = Field(1, gt=0, description="GPUs that share a server's layers.")
    gpu_memory_utilization: float = Field(
        0.85, gt=0, le=1, description="Share of each of its GPUs' memory that a server takes when it is awake."
    )
    context_length: int | None = Field(
        None,
        gt=0,
        description="Most tokens of a prompt with its response; null means model.max_position_embeddings.",
    )
    dtype: Literal["bfloat16", "float16", "float32"] = Field(
        "bfloat16", description="Type of the servers' weights; the trainer's are rounded to it before they travel."
    )
    in_flight: int = Field(
        512, gt=0, description="Requests that a trainer's replica has under way at once over all servers."
    )
    transport: Literal["folder", "nccl"] = Field(
        "folder",
        description="How weights reach the servers: as safetensors in a folder that both see, or broadcast over NCCL.",
    )
    folder: str | None = Field(
        None, description="Folder of the weights that both sides see; null means generator/ in the stage's folder."
    )
    bucket_mib: int = Field(1_024, gt=0, description="MiB of weights that are gathered and sent at a time.")
    attempts: int = Field(4, gt=0, description="How often a request is sent before its server counts as lost.")
    restarts: int = Field(3, ge=0, description="How often lost servers are brought back in a step before it fails.")
    request_timeout_s: float = Field(3_600.0, gt=0, description="Seconds that one response may take.")
    stall_timeout_s: float = Field(
        300.0, gt=0, description="Seconds without a token from a server that has work, after which it counts as hung."
    )
    start_timeout_s: float = Field(
        1_200.0, gt=0, description="Seconds that a server may take to start, or to take new weights."
    )


class GeneratorConfig(Section):
    """The engine that samples responses."""

    kind: Literal["megatron", "vllm"] = Field(
        "megatron", description="megatron: from the weights in training, in place. vllm: a server of its own, on GPUs."
    )
    slots: int = Field(256, gt=0, description="Sequences that a megatron generator decodes together on a replica.")
    vllm: VllmConfig = Field(default_factory=VllmConfig, description="The vLLM servers, with kind vllm.")


class PlacementConfig(Section):
    """Where trainer, generator, reference and optimizer lie (docs/howto/placement.md)."""

    mode: Literal["colocated", "separate"] = Field(
        "colocated",
        description="colocated: generator and trainer share the GPUs and take turns. separate: vLLM servers have GPUs "
        "of their own, rl.generator.vllm.engines x tensor_parallel beside the trainer's cluster.processes.",
    )
    offload_optimizer: bool = Field(
        False,
        description="Whether the optimizer's state waits in host memory while responses are sampled; the gradients' "
        "memory is given back meanwhile.",
    )
    offload_reference: bool = Field(
        False, description="Whether the reference's weights wait in host memory between their forward passes."
    )
