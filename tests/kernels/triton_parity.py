"""Holds the torch scan against mamba-ssm's Triton kernels, on a CPU, in Triton's interpreter; prints JSON.

    python -m tests.kernels.triton_parity > benchmarks/results/triton_parity.json

A program of its own: Triton reads whether to interpret when it is imported, and the CUDA calls around each kernel
launch have to be stood in for. mamba-ssm is called through `prism.kernels.fused`, as on a GPU.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from prism.kernels.fused import ssd_scan as fused_scan
from prism.kernels.ssd import ssd_scan

BATCH, LENGTH, HEADS, HEAD_DIM, STATE, CHUNK = 2, 75, 4, 16, 32, 32
"""The length isn't a multiple of the chunk; of the documents below one starts with a chunk, others within one."""

INPUTS = ("x", "dt", "A", "B", "C", "D", "initial_state")

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"groups": 1},
    "groups": {"groups": 2},
    "packed": {"groups": 2, "documents": (0, 20, 32, 50)},
    "continued": {"groups": 2, "continued": True},
    "packed, continued": {"groups": 1, "documents": (0, 20, 32, 50), "continued": True},
    "packed, continued, numbered from 3": {"groups": 1, "documents": (0, 0, 0, 0, 20, 50), "continued": True},
}


def interpreted_mamba() -> ModuleType:
    """`mamba_ssm.ops.triton.ssd_combined`, its kernels run by Triton's interpreter."""
    os.environ["TRITON_INTERPRET"] = "1"
    os.environ["MAMBA_DETERMINISTIC"] = "1"  # takes one configuration a kernel instead of timing them on a GPU
    # The package's __init__ imports compiled CUDA extensions; the Triton kernels don't need them.
    spec = importlib.util.find_spec("mamba_ssm")
    assert spec is not None and spec.submodule_search_locations is not None
    package = ModuleType("mamba_ssm")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["mamba_ssm"] = package
    cuda: Any = torch.cuda
    cuda.device = lambda *_: contextlib.nullcontext()
    cuda.get_device_properties = lambda *_: SimpleNamespace(multi_processor_count=4)
    return importlib.import_module("mamba_ssm.ops.triton.ssd_combined")


def compare(
    module: ModuleType, groups: int, documents: tuple[int, ...] = (), continued: bool = False
) -> dict[str, float]:
    """Largest differences of output, last state and gradients, relative to each tensor's largest value."""
    generator = torch.Generator().manual_seed(11)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    given = [
        random(BATCH, LENGTH, HEADS, HEAD_DIM),
        F.softplus(random(BATCH, LENGTH, HEADS) - 1),
        -torch.rand(HEADS, generator=generator) - 0.5,
        random(BATCH, LENGTH, groups, STATE),
        random(BATCH, LENGTH, groups, STATE),
        random(HEADS),
    ]
    if continued:
        given.append(random(BATCH, HEADS, HEAD_DIM, STATE))
    y_weights, state_weights = random(*given[0].shape), random(BATCH, HEADS, HEAD_DIM, STATE)
    seq_idx = None
    if documents:
        seq_idx = torch.bucketize(torch.arange(LENGTH), torch.tensor(documents), right=True).expand(BATCH, -1) - 1

    def run(scan: Any) -> dict[str, Tensor]:
        leaves = [part.clone().requires_grad_() for part in given]
        state = leaves[6] if continued else None
        found = scan(*leaves[:6], chunk_size=CHUNK, initial_state=state, seq_idx=seq_idx, with_state=True)
        gradients = torch.autograd.grad((found.y * y_weights).sum() + (found.state * state_weights).sum(), leaves)
        names = [f"d{name}" for name in INPUTS]
        return {"y": found.y.detach(), "state": found.state.detach(), **dict(zip(names, gradients, strict=False))}

    ours, theirs = run(ssd_scan), run(fused_scan(module))
    return {name: float((ours[name] - theirs[name]).abs().max() / theirs[name].abs().max()) for name in ours}


def main() -> None:
    module = interpreted_mamba()
    result = {
        "comparison": "torch scan against mamba_chunk_scan_combined in Triton's interpreter, float32",
        "measure": "largest difference / largest value, of each output and each gradient",
        "shape": {
            "batch": BATCH,
            "length": LENGTH,
            "heads": HEADS,
            "head_dim": HEAD_DIM,
            "state": STATE,
            "chunk": CHUNK,
        },
        "differences": {name: compare(module, **variant) for name, variant in VARIANTS.items()},
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("torch", "triton", "mamba_ssm")},
        },
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
