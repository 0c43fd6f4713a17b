"""The equality matrix: which layouts, models and batches train alike, and which of them `make test` runs."""

from __future__ import annotations

from dataclasses import dataclass

from prism.megatron.parallel import Layout
from prism.recipe import ModelConfig
from prism.recipe.schema.model import MambaConfig

GLOBAL, LENGTH, STEPS, VOCABULARY = 12, 48, 20, 99

_COMMON = {"num_layers": 4, "hidden_size": 64, "num_attention_heads": 8, "num_query_groups": 4}
MODELS = {
    "dense": ModelConfig(
        **_COMMON,
        ffn_hidden_size=128,
        tie_embeddings=True,
        embedding_multiplier=4.0,
        residual_multiplier=0.5,
        logits_scaling=2.0,
    ),
    "hybrid": ModelConfig(
        **_COMMON,
        ffn_hidden_size=96,
        activation="squared_relu",
        hybrid_pattern="M-*M",
        mamba=MambaConfig(inner_size=128, state_dim=16, head_dim=16, num_groups=2, chunk_size=16),
    ),
}


@dataclass(frozen=True)
class Leg:
    """`data` replicas of `layout`, on micro batches of `micro` rows."""

    layout: Layout
    data: int
    micro: int


@dataclass(frozen=True)
class Case:
    """A model trained on one layout, or on several in turn: each leg resumes from the checkpoint of the one before.

    packed: documents don't see each other, some labels don't count, and the loss is computed in chunks.
    broken: between two steps comes one more, in which one replica's loss isn't a number.
    """

    name: str
    model: str
    packed: bool
    precision: str
    trainable: str
    broken: bool
    legs: tuple[Leg, ...]

    @property
    def processes(self) -> int:
        return self.legs[0].layout.model_parallel * self.legs[0].data

    @property
    def key(self) -> str:
        return f"{self.name}, {self.model}, {'packed' if self.packed else 'plain'}"

    @property
    def reference(self) -> str:
        """The case of one process that this one is held against."""
        name = "1 attention" if self.trainable == "attention" else "1"
        return f"{name}, {self.model}, {'packed' if self.packed else 'plain'}"

    @property
    def tolerances(self) -> tuple[float, float]:
        """Largest relative difference of losses and of grad norms; bf16 is held against fp32."""
        return (1e-5, 1e-4) if self.precision == "fp32" else (5e-3, 1e-1)


def _leg(words: list[str], packed: bool) -> Leg:
    """What a name says, such as "TP2 SP PP2 VP2 CP2 DP2 whole recomputed"."""
    sizes = {word[:2]: int(word[2:]) for word in words if word[2:].isdigit()}
    layout = Layout(
        tensor=sizes.get("TP", 1),
        pipeline=sizes.get("PP", 1),
        virtual=sizes.get("VP", 1),
        context=sizes.get("CP", 1),
        sequence_parallel="SP" in words,
        distributed_optimizer="whole" not in words,
        recompute="full" if "recomputed" in words else "none",
        loss_chunk_tokens=20 if packed else None,
    )
    data = sizes.get("DP", 1)
    rounds = layout.pipeline if layout.virtual > 1 else 1  # an interleaved pipeline takes whole rounds of micro batches
    return Leg(layout, data, 1 if packed or GLOBAL % (2 * data * rounds) else 2)


def _case(name: str, model: str, packed: bool) -> Case:
    words = name.split()
    return Case(
        name,
        model,
        packed,
        precision="bf16" if "bf16" in words else "fp32",
        trainable="attention" if "attention" in words else "all",
        broken="nan" in words,
        legs=tuple(_leg(leg.split(), packed) for leg in name.split(" > ")),
    )


_BOTH = (
    "1 recomputed",
    "DP2",
    "DP2 whole",
    "TP2",
    "TP2 SP",
    "PP2",
    "CP2",
    "DP3",
    "DP4",
    "PP4",
    "CP4",
    "TP2 DP2",
    "TP2 SP DP2",
    "TP2 PP2",
    "TP2 SP PP2 recomputed",
    "TP2 CP2",
    "TP2 SP CP2",
    "PP2 DP2",
    "PP2 CP2",
    "CP2 DP2",
    "CP2 DP2 whole",
)
_DENSE = (
    "PP2 VP2",
    "PP2 VP2 DP2",
    "PP2 VP2 CP2",
    "TP2 SP PP2 VP2",
    "TP4",
    "TP4 SP",
    "CP3",
)
"""Layouts that the hybrid can't take: interleaved, or more ranks than its Mamba groups or heads can be dealt out to."""

_RESUMED = {
    "dense": "TP2 SP DP2 > PP2 VP2 DP2 > CP2 DP2 whole > PP4",
    "hybrid": "TP2 SP DP2 > PP2 DP2 > DP4 > TP2 CP2",
}
_EXTRA = (
    *((name, model, True) for model, name in _RESUMED.items()),
    ("DP2 attention", "hybrid", False),
    ("PP2 attention recomputed", "hybrid", False),
    ("TP2 SP PP2 attention", "hybrid", True),
    ("PP2 VP2 attention", "dense", False),
    ("PP2 VP2 DP2 nan", "dense", False),
    ("TP2 CP2 nan", "hybrid", True),
    ("1 bf16", "dense", False),
    ("1 bf16", "hybrid", True),
    ("TP2 DP2 bf16 > PP2 DP2 whole bf16", "hybrid", False),
)
_MATRIX = (
    (name, model, packed)
    for model, names in (("dense", _BOTH + _DENSE), ("hybrid", _BOTH))
    for packed in (False, True)
    for name in names
)


def _named(*wanted: tuple[str, str, bool]) -> dict[str, Case]:
    return {case.key: case for case in (_case(*one) for one in wanted)}


CASES = _named(*_MATRIX, *_EXTRA)
REFERENCES = _named(
    *((name, model, packed) for name in ("1", "1 attention") for model in MODELS for packed in (False, True))
)
QUICK = (
    "CP2, dense, packed",
    "TP2 SP, hybrid, packed",
    "PP2 VP2 DP2 nan, dense, plain",
    "PP2 attention recomputed, hybrid, plain",
    "1 bf16, hybrid, packed",
    "TP2 SP DP2 > PP2 DP2 > DP4 > TP2 CP2, hybrid, packed",
)
