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


_LAYER = re.compile(r"(?:model|backbone)\.layers\.(\d+)\.(.+)")
_OUTER = {
    "model.embed_tokens": "embedding",
    "backbone.embeddings": "embedding",
    "lm_head": "output",
    "model.norm": "norm",
    "backbone.norm_f": "norm",
}
_INNER = {
    **{f"self_attn.{part}_proj": f"attention.{part}" for part in "qkvo"},
    **{f"mixer.{part}_proj": f"attention.{part}" for part in "qkvo"},
    **{f"mlp.{part}_proj": f"mlp.{part}" for part in ("gate", "up", "down")},
    **{f"mixer.{part}_proj": f"mlp.{part}" for part in ("up", "down")},
    **{f"mixer.{part}": f"mamba.{part}" for part in ("in_proj", "out_proj", "conv1d", "D")},
    "mixer.A_log": "mamba.A",
    "mixer.dt_bias": "mamba.dt",
    "mixer.norm": "norm",
    "norm": "norm",
    "input_layernorm": "norm",
    "post_attention_layernorm": "norm",
}


def part_of(name: str) -> Part:
    """`model.layers.3.self_attn.q_proj.weight` -> attention, attention.q, layer 3.

    A bias belongs to the part of its weight; Mamba's gated norm counts as a norm.

    Raises:
        BadInput: the name follows neither LLaMA's nor Nemotron-H's naming.
    """
    bare = name.removesuffix(".weight").removesuffix(".bias")
    match = _LAYER.fullmatch(bare)
    layer = int(match.group(1)) if match else None
    sub_component = _INNER.get(match.group(2)) if match else _OUTER.get(bare)
    if sub_component is None:
        raise BadInput(
            "belongs to no known component",
            place=name,
            remedy="export the model with LLaMA's or Nemotron-H's names, or add the name to components.py",
        )
    return Part(sub_component.partition(".")[0], sub_component, layer)
