"""Linear centred kernel alignment of representations (paper section 10)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Similarity:
    """CKA of one layer with a bootstrap interval over inputs (95%)."""

    value: float
    low: float
    high: float


def linear_cka(x: Tensor, y: Tensor) -> float:
    """||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) with centred columns.

    Args:
        x, y: (inputs, features), the same inputs in the same order; features may differ in number.
    """
    x, y = (part.double() - part.double().mean(0) for part in (x, y))
    cross = torch.linalg.matrix_norm(y.t() @ x) ** 2
    return float(cross / (torch.linalg.matrix_norm(x.t() @ x) * torch.linalg.matrix_norm(y.t() @ y)))


def layer_similarities(before: Tensor, after: Tensor, resamples: int, seed: int) -> list[Similarity]:
    """CKA of each layer, (layers, inputs, hidden) twice; the interval is over draws of half of the inputs."""
    inputs = before.shape[1]
    generator = torch.Generator().manual_seed(seed)
    draws = [torch.randperm(inputs, generator=generator)[: inputs // 2] for _ in range(resamples)]
    result = []
    for x, y in zip(before, after, strict=True):
        values = torch.tensor([linear_cka(x[rows], y[rows]) for rows in draws])
        low, high = torch.quantile(values, torch.tensor([0.025, 0.975])).tolist()
        result.append(Similarity(linear_cka(x, y), low, high))
    return result
