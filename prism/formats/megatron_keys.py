"""By which keys a torch_dist checkpoint stores a model's weights.

A weight has one name, layers numbered through: `decoder.layers.3.mlp.linear_fc2.weight`. A checkpoint may store it

- alone, under its name;
- as a layer of a stack: key `decoder.layers.mlp.linear_fc2.weight`, shape (layers, ...), when all layers are alike;
- in parts, each a key of its own: Mamba's in_proj and conv1d (see `prism.megatron.mamba_sharding`);
- under the name that Transformer Engine's fused norms and linears give it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PARTS = {"in_proj.weight": ("z", "x", "B", "C", "dt")} | {
    f"conv1d.{kind}": ("x", "B", "C") for kind in ("weight", "bias")
}
"""Parts of Mamba's stacked matrices, in order, by the end of the weight's name."""

VOCABULARY_MULTIPLE = 8
"""Rows of the token tables are padded to a multiple of this at every layout, so that losses don't depend on it."""

_LAYER = re.compile(r"(?P<before>.*\.layers)\.(?P<layer>\d+)\.(?P<rest>.+)$")
_FUSED = {
    "input_layernorm.weight": "self_attention.linear_qkv.layer_norm_weight",
    "pre_mlp_layernorm.weight": "mlp.linear_fc1.layer_norm_weight",
    "norm.weight": "mixer.in_proj.layer_norm_weight",
}
_LINEAR = ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2", "out_proj")


def padded_vocabulary(vocab_size: int, tensor_parallel: int = 1) -> int:
    """The smallest multiple of 8 (and of the tensor-parallel size) that holds `vocab_size` tokens."""
    multiple = max(VOCABULARY_MULTIPLE, tensor_parallel)
    return -(-vocab_size // multiple) * multiple


@dataclass(frozen=True)
class MixerRows:
    """Rows of the parts of a Mamba mixer's matrices."""

    inner: int
    group: int
    heads: int

    def of(self, part: str) -> int:
        return {"z": self.inner, "x": self.inner, "B": self.group, "C": self.group, "dt": self.heads}[part]


@dataclass(frozen=True)
class Slot:
    """Rows `first` to `end` of a weight, and where they are stored: under `key`, in a stack at `layer`."""

    key: str
    layer: int | None
    first: int
    end: int


def stored_parts(name: str) -> tuple[str, ...]:
    """Names of the parts that a weight is stored in; none for most."""
    return next((parts for ending, parts in PARTS.items() if name.endswith(f"mixer.{ending}")), ())


def split_layer(name: str) -> tuple[str, int, str] | None:
    """`decoder.layers.3.mlp.linear_fc2.weight` -> ("decoder.layers", 3, "mlp.linear_fc2.weight")."""
    found = _LAYER.match(name)
    return (found["before"], int(found["layer"]), found["rest"]) if found else None


def slots(name: str, rows: int, *, stacked: bool, mixer: MixerRows | None, fused_norms: bool = False) -> Iterator[Slot]:
    """Where a weight of `rows` rows goes in a checkpoint.

    Args:
        stacked: all layers of the model are alike and share keys.
        mixer: rows of Mamba's parts, for models that have them.
        fused_norms: by Transformer Engine's names.
    """
    located = split_layer(name)
    if located is None:
        yield Slot(name, None, 0, rows)
        return
    before, layer, rest = located
    if fused_norms:
        rest = _FUSED.get(rest, rest)
    key = f"{before}.{rest}" if stacked else f"{before}.{layer}.{rest}"
    parts, first = stored_parts(name), 0
    if not parts or mixer is None:
        yield Slot(key, layer if stacked else None, 0, rows)
        return
    for part in parts:
        end = first + mixer.of(part)
        yield Slot(f"{key}.{part}", layer if stacked else None, first, end)
        first = end


def plain_name(key: str) -> str:
    """A stored key by the name that this project gives the weight; a stack's has no layer number."""
    before, layers, tail = key.partition(".layers.")
    if not layers:
        return key
    number, _, rest = tail.partition(".")
    if not number.isdigit():
        number, rest = "", tail
    rest = rest.replace("mixer.conv1d_", "mixer.conv1d.")  # newer megatron-core stores the convolution flat
    rest = {fused: plain for plain, fused in _FUSED.items()}.get(rest, rest)
    return f"{before}.layers.{number}.{rest}" if number else f"{before}.layers.{rest}"


def extra_state_keys(names: list[str], *, stacked: bool, layers: int) -> list[str]:
    """Keys of the empty extra states that megatron-core's linear layers ask for when they load."""
    keys = [] if stacked else ["output_layer._extra_state/shard_0_1"]  # a hybrid's output layer has one, tied or not
    for name in names:
        located = split_layer(name)
        if located is None:
            continue
        before, layer, rest = located
        module = rest.removesuffix(".weight")
        if module.rsplit(".", 1)[-1] in _LINEAR:
            place = f"{before}.{module}" if stacked else f"{before}.{layer}.{module}"
            keys.append(f"{place}._extra_state/shard_{layer if stacked else 0}_{layers if stacked else 1}")
    return keys
