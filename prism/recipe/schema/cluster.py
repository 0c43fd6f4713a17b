"""`cluster` and `kernels`: how a stage is spread over devices, and what it computes with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class ClusterConfig(Section):
    """How a stage is spread over devices. Data parallel takes what the others leave."""

    processes: int = Field(1, gt=0, description="Processes of a stage, one a device.")
    tensor_parallel: int = Field(1, gt=0, description="Devices that share a layer.")
    pipeline_parallel: int = Field(1, gt=0, description="Devices that share the layers.")
    context_parallel: int = Field(1, gt=0, description="Devices that share a sequence.")
    sequence_parallel: bool = Field(False, description="Split activations of norms over tensor-parallel devices.")


class KernelsConfig(Section):
    """Fused kernels: auto takes them on CUDA where they import; naming one makes its absence an error."""

    scan: Literal["auto", "torch", "mamba_ssm"] = Field("auto", description="Mamba-2's state-space scan.")
    conv: Literal["auto", "torch", "causal_conv1d"] = Field("auto", description="Mamba-2's causal convolution.")
