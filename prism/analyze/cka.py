"""Linear centred kernel alignment of representations (paper section 10).

For centred representations X (inputs, features) and Y of the same inputs, CKA = ||Y'X||^2 / (||X'X|| ||Y'Y||), all
Frobenius norms. It is computed on Gram matrices K = XX' and L = YY', where it is <K, L> / (|K| |L|): as exact, and its
cost depends on the number of inputs, which is small, and no longer on the width. A bootstrap resample takes rows and
columns of the same Gram matrices and centres them anew.

With fewer inputs than features plain CKA of unrelated representations is far from 0 (200 inputs, 4,096 features: above
0.9). The debiased estimate of Song et al. (2012, HSIC without the diagonal) is near 0 there; both are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_Product = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Similarity:
    """CKA of one layer with a bootstrap interval over inputs (95%), and its debiased estimate."""

    value: float
    low: float
    high: float
    debiased: float


def linear_cka(x: Tensor, y: Tensor) -> float:
    """CKA of two representations, as in the paper.

    Args:
        x, y: (inputs, features), the same inputs in the same order; features may differ in number.
    """
    return float(cka_matrix(x[None], y[None]))


def cka_matrix(before: Tensor, after: Tensor, *, debiased: bool = False) -> Tensor:
    """CKA of every layer with every layer: (layers, inputs, features), (others, inputs, features) -> (layers, others).

    Representations without any difference between inputs have none: NaN.
    """
    ready = _without_diagonal if debiased else _centred
    k, l = ready(grams(before)), ready(grams(after))  # noqa: E741  the field's letters
    product = _unbiased if debiased else _plain
    return product(k, l) / (_own(k, product)[:, None] * _own(l, product)[None, :]).sqrt()


def layer_similarities(before: Tensor, after: Tensor, resamples: int, seed: int) -> list[Similarity]:
    """CKA of each layer, (layers, inputs, features) twice; the interval is over draws of half of the inputs."""
    inputs = before.shape[1]
    generator = torch.Generator().manual_seed(seed)
    draws = [torch.randperm(inputs, generator=generator)[: inputs // 2] for _ in range(resamples)]
    k, l = grams(before), grams(after)  # noqa: E741
    drawn = torch.stack([_alike(_centred(_rows(k, rows)), _centred(_rows(l, rows)), _plain) for rows in draws])
    low, high = torch.quantile(drawn, torch.tensor([0.025, 0.975], dtype=drawn.dtype), dim=0)
    values = _alike(_centred(k), _centred(l), _plain)
    debiased = _alike(_without_diagonal(k), _without_diagonal(l), _unbiased)
    rows = zip(values.tolist(), low.tolist(), high.tolist(), debiased.tolist(), strict=True)
    return [Similarity(*row) for row in rows]


def grams(states: Tensor) -> Tensor:
    """(layers, inputs, features) -> (layers, inputs, inputs), float64, of centred features."""
    centred = states.double()
    centred = centred - centred.mean(1, keepdim=True)
    return centred @ centred.transpose(1, 2)


def _rows(gram: Tensor, rows: Tensor) -> Tensor:
    return gram[:, rows][:, :, rows]


def _centred(gram: Tensor) -> Tensor:
    """Gram matrices of features centred over these inputs."""
    across = gram.mean(1, keepdim=True)
    return gram - across - across.transpose(1, 2) + gram.mean((1, 2), keepdim=True)


def _without_diagonal(gram: Tensor) -> Tensor:
    return gram - torch.diag_embed(gram.diagonal(dim1=1, dim2=2))


def _plain(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    return k.flatten(1) @ l.flatten(1).t()


def _unbiased(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """n(n - 3) times HSIC_1 of every pair; k, l: without diagonals."""
    n = k.shape[1]
    sums, others = k.sum(1), l.sum(1)
    together = sums.sum(1)[:, None] * others.sum(1)[None, :] / ((n - 1) * (n - 2))
    return _plain(k, l) + together - 2 / (n - 2) * (sums @ others.t())


def _own(k: Tensor, product: _Product) -> Tensor:
    return torch.stack([product(one[None], one[None])[0, 0] for one in k])


def _alike(k: Tensor, l: Tensor, product: _Product) -> Tensor:  # noqa: E741
    """Layer against the same layer."""
    both = torch.stack([product(one[None], other[None])[0, 0] for one, other in zip(k, l, strict=True)])
    return both / (_own(k, product) * _own(l, product)).sqrt()
