"""What `prism doctor` looks at."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass

_ENGINE = {"torch": "tensors", "megatron-core": "the engine", "safetensors": "exports", "psutil": "checkpoints"}
_DATA = {"datatrove": "data preparation", "tokenizers": "tokenizers", "pyarrow": "Parquet"}
_FUSED = {
    "transformer_engine": "fused attention and linears; without it torch's SDPA and matmul",
    "flash_attn": "not used: torch's SDPA brings flash attention of its own",
    "apex": "fused AdamW; without it torch's fused AdamW",
    "mamba_ssm": "fused Mamba-2 scan; without it a chunked scan in torch",
    "causal_conv1d": "fused causal convolution; without it shifted adds in torch",
}


@dataclass(frozen=True)
class Finding:
    """`good` is False when something needed is missing, None when it only matters for speed."""

    what: str
    found: str
    meaning: str
    good: bool | None


def diagnose() -> list[Finding]:
    """Python, packages, device, fused kernels, machine."""
    found = [
        Finding(
            "python",
            platform.python_version(),
            "3.11 or 3.12",
            platform.python_version_tuple()[:2] in (("3", "11"), ("3", "12")),
        )
    ]
    for package, meaning in (_ENGINE | _DATA).items():
        version = _version(package)
        extra = "engine" if package in _ENGINE else "data"
        found.append(Finding(package, version or f"missing: pip install -e '.[{extra}]'", meaning, version is not None))
    found.append(_device())
    found.append(_sandbox())
    for module, meaning in _FUSED.items():
        found.append(_fused(module, meaning))
    free = shutil.disk_usage(".").free / 2**30
    found.append(Finding("cores", str(os.cpu_count()), "run.workers x run.threads should not exceed it", None))
    found.append(
        Finding("memory", f"{_memory_gib():.1f} GiB", "weights, gradients and optimizer: see `prism plan`", None)
    )
    found.append(Finding("disk", f"{free:.1f} GiB free", "checkpoints and tokens", None))
    return found


def _sandbox() -> Finding:
    meaning = "contains model-written programs; code rewards need it"
    if _version("torch") is None:
        return Finding("sandbox", "not looked for without the engine", meaning, None)
    from prism.errors import PrismError
    from prism.score.sandbox import describe

    try:
        state = describe()
    except PrismError as error:
        return Finding("sandbox", "none works here", f"{meaning}: {error}", None)
    return Finding("sandbox", state.tier, f"{meaning}: {state.reason}", None)


def _fused(module: str, meaning: str) -> Finding:
    """Absent costs speed only; there and not importable is a fault."""
    if importlib.util.find_spec(module) is None:
        return Finding(module, "absent", meaning, None)
    from prism.kernels.select import try_import

    _, obstacle = try_import(module)
    version = _version(module) or "there"
    return Finding(module, version if obstacle is None else f"{version}: {obstacle}", meaning, obstacle is None)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("device", "unknown", "torch is missing", None)
    import torch

    if torch.cuda.is_available():
        return Finding("device", torch.cuda.get_device_name(), "NCCL and CUDA kernels", True)
    return Finding("device", "CPU", "gloo and torch kernels; PRISM_BACKEND=cpu|cuda forces one", True)


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
