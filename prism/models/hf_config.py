"""Reading a config.json: every key that matters is either understood or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.files import read_json
from prism.errors import BadInput
from prism.recipe import RopeScalingConfig


class HfConfig:
    """The values of a config.json, and where they come from.

    Raises:
        BadInput: from every method, when a key is missing or has a value that isn't supported.
    """

    def __init__(self, values: Mapping[str, Any], place: str = "config.json") -> None:
        self.values = values
        self.place = place

    @classmethod
    def read(cls, folder: Path) -> HfConfig:
        path = folder / "config.json"
        values = read_json(path)
        if not isinstance(values, dict):
            raise BadInput("not a JSON object", place=str(path), remedy="fetch the model's config.json again")
        return cls(values, str(path))

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def whole(self, key: str, default: int | None = None) -> int:
        """A positive whole number."""
        value = self.values.get(key, default)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise self.wrong(key, value, "a positive whole number")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number above zero."""
        value = self.values.get(key)
        if value is None:
            value = default
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise self.wrong(key, value, "a number above 0")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def only(self, **allowed: object) -> None:
        """Refuses keys whose value differs from the one this family is built for; absent keys pass."""
        for key, value in allowed.items():
            found = self.values.get(key)
            if found is not None and found != value:
                raise self.wrong(key, found, repr(value))

    def wrong(self, key: str, value: object, wanted: str) -> BadInput:
        found = "missing" if value is None else f"{value!r}"
        return BadInput(
            f"{key} is {found}, supported is {wanted}",
            place=self.place,
            remedy="check that it is this model's own config.json; `prism models list` shows what is supported",
        )

    def head_dim(self) -> int:
        """`head_dim`, or hidden_size / heads."""
        return self.whole("head_dim", self.whole("hidden_size") // self.whole("num_attention_heads"))

    def rope(self) -> tuple[float, RopeScalingConfig | None]:
        """Base and stretch of RoPE, in the form of transformers 4 (`rope_theta`) or 5 (`rope_parameters`)."""
        nested = self.values.get("rope_parameters") or {}
        base = nested.get("rope_theta") or self.values.get("rope_theta") or 10_000.0
        scaling = self.values.get("rope_scaling") or nested
        kind = scaling.get("rope_type") or scaling.get("type") or "default"
        if kind == "default":
            return float(base), None
        if kind != "llama3":
            raise self.wrong("rope_scaling.rope_type", kind, "'llama3' or none")
        return float(base), RopeScalingConfig(
            factor=scaling["factor"],
            low_frequency_factor=scaling["low_freq_factor"],
            high_frequency_factor=scaling["high_freq_factor"],
            original_context=scaling["original_max_position_embeddings"],
        )


def rope_values(base: float, scaling: RopeScalingConfig | None) -> dict[str, Any]:
    """RoPE as transformers 4 writes it; 5 reads it too."""
    if scaling is None:
        return {"rope_theta": base, "rope_scaling": None}
    return {
        "rope_theta": base,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_frequency_factor,
            "high_freq_factor": scaling.high_frequency_factor,
            "original_max_position_embeddings": scaling.original_context,
        },
    }
