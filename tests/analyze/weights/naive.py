"""What the analysis must give: numpy in float64, whole tensors in memory, no idea of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.longcontext.made import tensors_of, write


def double(tensor: torch.Tensor) -> Any:
    return tensor.double().numpy()


def figures(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], thresholds: Sequence[float]) -> dict[str, Any]:
    """Relative L2 and unchanged percent of some tensors, as one vector."""
    old, new = (np.concatenate([double(tensor).ravel() for tensor in side]) for side in zip(*pairs, strict=True))
    change, zero = np.abs(new - old), (old == 0) & (new == 0)
    return {
        "relative_l2": float(np.linalg.norm(new - old) / np.linalg.norm(old)),
        "unchanged_percent": {
            f"{value:g}": 100 * int(((change < np.abs(old) * (value / 100)) | zero).sum()) / old.size
            for value in thresholds
        },
        "elements": old.size,
    }


def cosine(
    one: Sequence[tuple[torch.Tensor, torch.Tensor]], other: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> float:
    first, second = (
        np.concatenate([(double(new) - double(old)).ravel() for old, new in pairs]) for pairs in (one, other)
    )
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def moved(source: Path, target: Path, scale: float, seed: int, dtype: torch.dtype | None = None) -> Path:
    """A copy whose weights are a little off, each by its own share; every tenth stays, every thirtieth is zero."""
    target.mkdir()
    for file in source.iterdir():
        if file.suffix == ".json" and "index" not in file.name:
            (target / file.name).write_bytes(file.read_bytes())
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, tensor in tensors_of(source).items():
        share = 1 + scale * torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        share.view(-1)[::10] = 1
        share.view(-1)[::30] = 0
        tensors[name] = (tensor.double() * share).to(dtype or tensor.dtype)
    write(target, tensors, 3)
    return target
