"""Linear centred kernel alignment of representations (paper section 10).

For centred representations X (inputs, features) and Y of the same inputs, CKA = ||Y'X||^2 / (||X'X|| ||Y'Y||), all
Frobenius norms. It is computed on Gram matrices K = XX' and L = YY', where it is <K, L> / (|K| |L|): as exact, and its
cost depends on the number of inputs, which is small, and no longer on the width. A bootstrap resample takes rows and
columns of the same Gram matrices and centres them anew.

With fewer inputs than features plain CKA of unrelated representations is far from 0 (200 inputs, 4,096 features: above
0.9). The debiased estimate of Song et al. (2012, HSIC without the diagonal) is near 0 there; both are reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

LEAST_INPUTS = 4
"""The debiased estimate divides by n - 3."""
_INTERVAL = (0.025, 0.975)
_ROUNDING = 1e-12


class Grams:
    """Gram matrices of a model's layers on one input set: made once, whatever is compared with them.

    Args:
        states: (layers, inputs, features); models may differ in layers and features, not in inputs.
    """

    def __init__(self, states: Tensor) -> None:
        wide = states.double()
        centred = wide - wide.mean(1, keepdim=True)
        self.centred = centred @ centred.transpose(1, 2)
        """(layers, inputs, inputs), float64, of centred features."""
        self.alike = centred.norm(dim=(1, 2)) <= _ROUNDING * wide.norm(dim=(1, 2))
        """(layers,): whether all inputs are the same to it, so that what is left is rounding."""

    @property
    def layers(self) -> int:
        return len(self.centred)

    @property
    def inputs(self) -> int:
        return self.centred.shape[1]

    @cached_property
    def hollow(self) -> Tensor:
        """Without their diagonals."""
        return self.centred - torch.diag_embed(self.centred.diagonal(dim1=1, dim2=2))

    @cached_property
    def own(self) -> Tensor:
        """<K, K> of each layer, (layers,)."""
        return self.centred.square().sum((1, 2))

    @cached_property
    def own_unbiased(self) -> Tensor:
        """The unbiased HSIC of each layer with itself, (layers,)."""
        return torch.stack([_unbiased(one[None], one[None])[0, 0] for one in self.hollow])

    def drawn(self, rows: Tensor) -> Tensor:
        """Gram matrices of some of the inputs, centred over them."""
        part = self.centred[:, rows][:, :, rows]
        across = part.mean(1, keepdim=True)
        return part - across - across.transpose(1, 2) + part.mean((1, 2), keepdim=True)


@dataclass(frozen=True)
class LayerSimilarity:
    """CKA of one layer with a bootstrap interval over inputs (95%), and its debiased estimate."""

    cka: float
    low: float
    high: float
    debiased: float


def linear_cka(x: Tensor, y: Tensor) -> float:
    """CKA of two representations, as in the paper.

    Args:
        x, y: (inputs, features), the same inputs in the same order; features may differ in number.
    """
    return float(cka_matrix(Grams(x[None]), Grams(y[None])))


def cka_matrix(before: Grams, after: Grams, *, debiased: bool = False) -> Tensor:
    """CKA of every layer with every layer, (layers, others), float64.

    Representations without any difference between inputs have none: NaN.
    """
    if debiased:
        both, norms = _unbiased(before.hollow, after.hollow), (before.own_unbiased, after.own_unbiased)
    else:
        both, norms = _plain(before.centred, after.centred), (before.own, after.own)
    return both / (norms[0][:, None] * norms[1][None, :]).sqrt()


def layer_similarities(before: Grams, after: Grams, resamples: int, seed: int) -> list[LayerSimilarity]:
    """CKA of each layer with the same layer of a model of equal depth; the interval is over draws of half of the
    inputs."""
    generator = torch.Generator().manual_seed(seed)
    draws = [torch.randperm(before.inputs, generator=generator)[: before.inputs // 2] for _ in range(resamples)]
    drawn = torch.stack([_alike(before.drawn(rows), after.drawn(rows)) for rows in draws])
    low, high = torch.quantile(drawn, torch.tensor(_INTERVAL, dtype=drawn.dtype), dim=0)
    values, debiased = (cka_matrix(before, after, debiased=kind).diagonal() for kind in (False, True))
    rows = zip(values.tolist(), low.tolist(), high.tolist(), debiased.tolist(), strict=True)
    return [LayerSimilarity(*row) for row in rows]


def _plain(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741  the field's letters
    return k.flatten(1) @ l.flatten(1).t()


def _unbiased(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """n(n - 3) times HSIC_1 of every pair; k, l: without diagonals."""
    n = k.shape[1]
    sums, others = k.sum(1), l.sum(1)
    together = sums.sum(1)[:, None] * others.sum(1)[None, :] / ((n - 1) * (n - 2))
    return _plain(k, l) + together - 2 / (n - 2) * (sums @ others.t())


def _alike(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """Layer against the same layer."""
    return (k * l).sum((1, 2)) / (k.square().sum((1, 2)) * l.square().sum((1, 2))).sqrt()
