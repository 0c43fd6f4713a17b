"""The parts in turn, each timed, and the figures as JSON."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_prep.files import write_json
from prism.doctor.smoke.recipes import SIZES
from prism.errors import PrismError, UsageError

_RESUME_TOLERANCE = {"cpu": 0.0, "cuda": 1e-3}
"""Of a loss, relative. Sums of CUDA kernels with atomic additions come in any order."""


def smoke(size: str, out: Path | None, folder: Path | None, say: Callable[[str], None] = print) -> bool:
    """Kernel parity, 20 steps dense and hybrid, save and resume; whether all hold.

    Args:
        size: `gpu` or `tiny`.
        out: file of the figures.
        folder: where the runs lie while they run, a folder that goes afterwards; they need 30 GB at size `gpu`.

    Raises:
        UsageError: no such size, or `gpu` without a CUDA device.
    """
    import torch

    if size not in SIZES:
        raise UsageError(f"no size {size!r}", place="--size", remedy=f"use one of {', '.join(SIZES)}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if size == "gpu" and device == "cpu":
        raise UsageError("there is no CUDA device", place="--gpu-smoke", remedy="use --size tiny, or a node with a GPU")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="prism-smoke-", dir=folder) as name:
        for part, work in _parts(size, device, Path(name)).items():
            parts[part] = _timed(work)
            say(_line(part, parts[part]))
    holds = all(part["holds"] for part in parts.values())
    if out is not None:
        write_json(out, _figures(size, parts, holds))
        say(f"written: {out}")
    return holds


def _parts(size: str, device: str, folder: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    from prism.doctor.smoke.runs import resumed, trained

    shape = SIZES[size]
    return {
        "kernels": lambda: _kernels(device),
        "dense": lambda: trained("dense", shape, folder),
        "hybrid": lambda: trained("hybrid", shape, folder),
        "resume": lambda: resumed(shape, folder, _RESUME_TOLERANCE[device]),
    }


def _timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        found = work()
    except PrismError as error:
        found = {"holds": False, "error": str(error)}
    return {**found, "seconds": round(time.perf_counter() - began, 1)}


def _kernels(device_name: str) -> dict[str, Any]:
    """What `prism.kernels` takes here, fused or torch, in both dtypes against float64."""
    import torch

    from prism.doctor.parity import attention_parity, conv_parity, scan_parity
    from prism.kernels.select import choose

    device, found = torch.device(device_name), {}
    for dtype in (torch.float32, torch.bfloat16):
        kernels = choose(device, dtype)
        for parity in (
            scan_parity(kernels.scan, device, dtype),
            conv_parity(kernels.conv, device, dtype),
            attention_parity(device, dtype),
        ):
            name, difference = parity.worst
            found[f"{parity.kernel}, {str(dtype).removeprefix('torch.')}"] = {
                "taken": kernels.reasons[parity.kernel],
                "worst_tensor": name,
                "relative_l2": difference,
                "tolerance": parity.tolerance,
                "holds": parity.holds,
            }
    return {"holds": all(one["holds"] for one in found.values()), "kernels": found}


def _line(part: str, found: dict[str, Any]) -> str:
    shown = {key: value for key, value in found.items() if key not in ("holds", "kernels", "seconds")}
    if "kernels" in found:
        shown |= {name: f"{one['relative_l2']:.1e}" for name, one in found["kernels"].items()}
    words = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items())
    return f"{part}: {'holds' if found['holds'] else 'FAILS'} in {found['seconds']} s; {words}"


def _figures(size: str, parts: dict[str, Any], holds: bool) -> dict[str, Any]:
    return {
        "benchmark": "gpu_smoke",
        "size": size,
        "holds": holds,
        "mfu_dense": parts["dense"].get("mfu"),
        "mfu_hybrid": parts["hybrid"].get("mfu"),
        "memory_gib_dense": parts["dense"].get("memory_gib"),
        "memory_gib_hybrid": parts["hybrid"].get("memory_gib"),
        "parts": parts,
        "machine": _machine(),
    }


def _machine() -> dict[str, Any]:
    import os

    import torch

    return {
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }
