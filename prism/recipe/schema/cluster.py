"""`cluster` and `kernels`: how a stage is spread over devices, and what it computes with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section
from prism.recipe.schema.slurm import SlurmConfig


class ClusterConfig(Section):
    """How a stage is spread over devices. Data parallel takes what the others leave (docs/parallelism.md)."""

    processes: int = Field(1, gt=0, description="Processes of a stage, one a device.")
    tensor_parallel: int = Field(1, gt=0, description="Devices that share a layer.")
    pipeline_parallel: int = Field(1, gt=0, description="Devices that share the layers.")
    virtual_pipeline: int = Field(
        1,
        gt=0,
        description="Chunks of layers that a pipeline device holds, interleaved with the other devices' chunks: less "
        "time without work, more messages. Dense models in training stages only.",
    )
    context_parallel: int = Field(1, gt=0, description="Devices that share a sequence.")
    sequence_parallel: bool = Field(False, description="Split activations of norms over tensor-parallel devices.")
    distributed_optimizer: bool = Field(
        True, description="Split the optimizer's state over data-parallel devices, context-parallel ones included."
    )
    overlap_communication: bool = Field(
        True,
        description="Reduce gradients during the backward pass, and gather a distributed optimizer's weights during "
        "the forward pass. On GPUs only.",
    )
    offload_optimizer: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the optimizer's state that is kept and stepped on the host. On GPUs only.",
    )
    recompute: Literal["none", "selective", "full"] = Field(
        "none",
        description="Activations that the backward pass computes again rather than keeps: none, those inside MLPs, or "
        "all inside layers.",
    )
    recompute_layers: int | None = Field(
        None, gt=0, description="With recompute full: only the first layers of each pipeline chunk; null means all."
    )
    loss_chunk_tokens: int | None = Field(
        8_192,
        gt=0,
        description="Positions of a micro batch whose logits are in memory at once, on one device; null means all. "
        "More positions than that cost a second output layer pass.",
    )
    device: str = Field("h100_sxm", description="Kind of device that `prism plan` reckons with.")
    device_memory_gib: float | None = Field(
        None, gt=0, description="Memory of a device that a process may fill; null takes the device's own."
    )
    devices_per_node: int = Field(8, gt=0, description="Devices of a node; a larger job takes whole nodes.")
    slurm: SlurmConfig = Field(default_factory=SlurmConfig, description="How `prism launch` submits jobs.")


class KernelsConfig(Section):
    """Fused kernels: auto takes them on CUDA where they import; naming one makes its absence an error."""

    scan: Literal["auto", "torch", "mamba_ssm"] = Field("auto", description="Mamba-2's state-space scan.")
    conv: Literal["auto", "torch", "causal_conv1d"] = Field("auto", description="Mamba-2's causal convolution.")
