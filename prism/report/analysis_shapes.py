"""What the files of representations and the landscape hold; of weights: `prism.report.weight_shapes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class LayerCka:
    layer: int
    cka: float
    low: float
    high: float
    debiased: float | None = None


@dataclass(frozen=True)
class CkaInputs:
    """CKA by layer on one set of inputs. `matrix`: of every layer before with every layer after."""

    name: str
    layers: tuple[LayerCka, ...]
    matrix: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class CkaComparison:
    """analysis/cka/<before>__<after>.json."""

    before: str
    after: str
    inputs: tuple[CkaInputs, ...] = ()
    minimum: float | None = None


@dataclass(frozen=True)
class LandscapePoint:
    """W_base + alpha (W_mid - W_base) + beta (W_rl - W_mid), and what it scores."""

    alpha: float
    beta: float
    value: float
    low: float
    high: float
    on_path: bool = False


@dataclass(frozen=True)
class Landscape:
    """analysis/landscape.json. `values`: of alpha and of beta. `complete`: whether every point is there."""

    chain: tuple[str, str, str]
    task: str
    kind: str
    metric: str
    values: tuple[float, ...]
    points: tuple[LandscapePoint, ...]
    plane: bool = True
    complete: bool = True
    settings: Mapping[str, Any] = Field(default_factory=dict)
