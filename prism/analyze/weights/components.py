"""Which part of a model a weight belongs to, told from its Hugging Face name (Table 23)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prism.errors import BadInput


@dataclass(frozen=True)
class Part:
    """Where a weight sits. `layer` is None outside of the layers."""

    component: str
    sub_component: str
    layer: int | None


@dataclass(frozen=True)
class Cut:
    """Rows `first` to `end` of a tensor that are one matrix, or a whole vector.

    Args:
        name: the tensor's, where it is fused with the matrix's in brackets.
    """

    name: str
    part: Part
    first: int
    end: int
    matrix: bool


_LAYER = re.compile(r"(?:model|backbone)\.layers\.(\d+)\.(.+)")
_OUTER = {
    "model.embed_tokens": "embedding",
    "backbone.embeddings": "embedding",
    "model.embeddings": "embedding",
    "lm_head": "output",
    "model.norm": "norm",
    "backbone.norm_f": "norm",
    "model.norm_f": "norm",
}
_MAMBA = {
    **{part: f"mamba.{part}" for part in ("in_proj", "out_proj", "conv1d", "D")},
    "A_log": "mamba.A",
    "dt_bias": "mamba.dt",
    "norm": "norm",
}
_FUSED = {"shared_mlp.input_linear": ("mlp.gate", "mlp.up")}
"""Matrices of equal height in one tensor, from its first row: Granite 4's MLP."""
_INNER = {
    **{f"self_attn.{part}_proj": f"attention.{part}" for part in "qkvo"},
    **{f"mixer.{part}_proj": f"attention.{part}" for part in "qkvo"},
    **{f"mlp.{part}_proj": f"mlp.{part}" for part in ("gate", "up", "down")},
    **{f"mixer.{part}_proj": f"mlp.{part}" for part in ("up", "down")},
    **{f"{mixer}.{part}": of for mixer in ("mixer", "mamba") for part, of in _MAMBA.items()},
    "shared_mlp.output_linear": "mlp.down",
    "norm": "norm",
    "input_layernorm": "norm",
    "post_attention_layernorm": "norm",
}


def part_of(name: str) -> Part:
    """`model.layers.3.self_attn.q_proj.weight` -> attention, attention.q, layer 3.

    A bias belongs to the part of its weight; Mamba's gated norm counts as a norm.

    Raises:
        BadInput: the name is none of a known family's, or of a tensor that holds several matrices.
    """
    inner, layer = _split(name)
    sub_component = _OUTER.get(inner) if layer is None else _INNER.get(inner)
    if sub_component is None:
        raise BadInput(
            "belongs to no known component",
            place=name,
            remedy="compare checkpoints of a known family (`prism models list`) under Hugging Face names",
        )
    return Part(sub_component.partition(".")[0], sub_component, layer)


def cuts_of(name: str, shape: tuple[int, ...]) -> list[Cut]:
    """The matrices in a tensor: one, or several where a family fuses them.

    Raises:
        BadInput: the name is none of a known family's.
    """
    inner, layer = _split(name)
    rows, fused = shape[0], _FUSED.get(inner, ())
    if not fused or layer is None:
        return [Cut(name, part_of(name), 0, rows, len(shape) > 1)]
    height = rows // len(fused)
    return [
        Cut(f"{name}[{of.partition('.')[2]}]", Part("mlp", of, layer), index * height, (index + 1) * height, True)
        for index, of in enumerate(fused)
    ]


def _split(name: str) -> tuple[str, int | None]:
    bare = name.removesuffix(".weight").removesuffix(".bias")
    match = _LAYER.fullmatch(bare)
    return (match.group(2), int(match.group(1))) if match else (bare, None)
