"""A Nemotron-H through megatron-core: hybrid.py MODEL.json SOURCE OUT loads SOURCE/weights and saves OUT/weights.

Nothing is computed: the kernels of mamba-ssm aren't there. This file imports little, because megatron-core's writers,
processes of their own, import it again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from prism.nemo.training.environment import require_nemo
from tests.nemo.environment.there.cpu import without_cuda


class GatedNorm(torch.nn.Module):
    """What mamba-ssm's has of a checkpoint."""

    def __init__(self, size: int, dtype: torch.dtype, **named: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size, dtype=dtype))


def stand_in_for_mamba() -> None:
    for name, held in {"layernorm_gated": ["RMSNorm"], "ssd_combined": _SCANS}.items():
        module = ModuleType(f"mamba_ssm.ops.triton.{name}")
        for one in held:
            setattr(module, one, GatedNorm)
        sys.modules[module.__name__] = module
    for name in ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton"):
        sys.modules[name] = ModuleType(name)


_SCANS = ["mamba_chunk_scan_combined", "mamba_split_conv1d_scan_combined"]


def main() -> None:
    require_nemo()
    stand_in_for_mamba()
    without_cuda()
    from tests.nemo.environment.there.hybrid_model import round_trip

    round_trip(*map(Path, sys.argv[1:]))


if __name__ == "__main__":
    main()
