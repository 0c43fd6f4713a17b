"""How alike the representations of models are: layer by layer, and every layer with every other one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from torch import Tensor

from prism.analyze.cka import Grams, cka_matrix, layer_similarities
from prism.errors import BadInput, UsageError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Represented:
    """A model, with Gram matrices of its layers on each input set."""

    name: str
    grams: Mapping[str, Grams]

    @classmethod
    def of(cls, name: str, states: Mapping[str, Tensor]) -> Represented:
        """Args: states: (layers, inputs, hidden) by input set."""
        return cls(name, {inputs: Grams(values) for inputs, values in states.items()})


def compare(
    before: Represented, after: Represented, resamples: int, seed: int, *, by_layer: bool = True
) -> dict[str, Any]:
    """One pair as it is written down: CKA, plain and debiased, on every input set.

    Args:
        by_layer: with each layer beside the same layer of the other, and its interval.

    Raises:
        BadInput: a layer says the same of all inputs.
        UsageError: layers are wanted one by one of models of different depth.
    """
    inputs, least = [], []
    for name, k in before.grams.items():
        l = after.grams[name]  # noqa: E741  the field's letters
        if by_layer and k.layers != l.layers:
            raise UsageError(
                f"{before.name} has {k.layers} layers, {after.name} {l.layers}: they can't be paired one by one",
                place="prism analyze cka",
                remedy="add --by matrix, which compares every layer with every other one",
            )
        _refuse_undefined(k, name, before.name)
        _refuse_undefined(l, name, after.name)
        layers = layer_similarities(k, l, resamples, seed) if by_layer else []
        least += [one.cka for one in layers]
        rows = [
            {"layer": number, **asdict(one), "debiased": _defined(one.debiased)} for number, one in enumerate(layers)
        ]
        matrices = {
            key: _rounded(cka_matrix(k, l, debiased=debiased))
            for key, debiased in (("matrix", False), ("debiased_matrix", True))
        }
        inputs.append({"name": name, "count": k.inputs, "layers": rows, **matrices})
    return {"before": before.name, "after": after.name, "inputs": inputs, "minimum": min(least, default=None)}


def _refuse_undefined(grams: Grams, inputs: str, model: str) -> None:
    """Without any difference between inputs there is nothing to be alike."""
    layers = grams.alike.nonzero().flatten().tolist()
    if layers:
        raise BadInput(
            f"the hidden states of layer {layers[0]} on {inputs} are all alike",
            place=model,
            remedy="use inputs that differ",
        )


def _rounded(matrix: Tensor) -> list[list[float | None]]:
    return [[_defined(round(value, 6)) for value in row] for row in matrix.tolist()]


def _defined(value: float) -> float | None:
    """None where the debiased estimate has no root, with few inputs of which most differ alike."""
    return value if isfinite(value) else None
