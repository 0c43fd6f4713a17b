"""Every weight of the seven models has its part, and fused matrices come apart."""

from __future__ import annotations

import pytest

from prism.analyze.weights.components import cuts_of, part_of
from prism.errors import BadInput
from prism.models.family import FAMILIES
from prism.models.hf_config import HfConfig
from tests.models.tiny import TINY, VOCABULARY

ATTENTION = {f"attention.{part}" for part in "qkvo"}
GATED = {"mlp.gate", "mlp.up", "mlp.down"}
MAMBA = {f"mamba.{part}" for part in ("in_proj", "out_proj", "conv1d", "A", "D", "dt")}
EXPECTED = {
    "llama_3_1_8b": ATTENTION | GATED | {"embedding", "output", "norm"},
    "mistral_7b": ATTENTION | GATED | {"embedding", "output", "norm"},
    "mistral_small_24b": ATTENTION | GATED | {"embedding", "output", "norm"},
    "granite_3_3_8b": ATTENTION | GATED | {"embedding", "norm"},
    "granite_4_micro": ATTENTION | GATED | {"embedding", "norm"},
    "granite_4_h_micro": ATTENTION | GATED | MAMBA | {"embedding", "norm"},
    "nemotron_h_8b": ATTENTION | {"mlp.up", "mlp.down"} | MAMBA | {"embedding", "output", "norm"},
}


@pytest.mark.parametrize("name", TINY)
def test_every_weight_of_the_seven_has_its_part(name: str) -> None:
    config = HfConfig(TINY[name])
    family = next(family for family in FAMILIES.values() if family.model_type == TINY[name]["model_type"])
    model = family.from_hf(config)
    tensors = [part for weight in family.weight_map(model, VOCABULARY) for part in weight.parts]
    cuts = [cut for tensor in tensors for cut in cuts_of(tensor.name, tensor.shape)]
    assert {cut.part.sub_component for cut in cuts} == EXPECTED[name]
    assert sum(cut.end - cut.first for cut in cuts) == sum(tensor.shape[0] for tensor in tensors)
    layers = {cut.part.layer for cut in cuts if cut.part.layer is not None}
    assert layers == set(range(TINY[name]["num_hidden_layers"]))


def test_granite_4_gate_and_up_are_two_matrices() -> None:
    gate, up = cuts_of("model.layers.2.shared_mlp.input_linear.weight", (192, 64))
    assert (gate.part.sub_component, gate.first, gate.end) == ("mlp.gate", 0, 96)
    assert (up.part.sub_component, up.first, up.end) == ("mlp.up", 96, 192)
    assert up.name == "model.layers.2.shared_mlp.input_linear.weight[up]"


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "model.layers.3.self_attn.q_proj.weight": ("attention", "attention.q", 3),
        "model.layers.3.self_attn.q_proj.bias": ("attention", "attention.q", 3),
        "backbone.layers.11.mixer.A_log": ("mamba", "mamba.A", 11),
        "backbone.layers.0.mixer.norm.weight": ("norm", "norm", 0),
        "model.layers.0.mamba.dt_bias": ("mamba", "mamba.dt", 0),
        "lm_head.weight": ("output", "output", None),
    }.items(),
)
def test_the_part_follows_from_the_name(name: str, expected: tuple[str, str, int | None]) -> None:
    part = part_of(name)
    assert (part.component, part.sub_component, part.layer) == expected


@pytest.mark.parametrize("name", ["transformer.h.0.attn.weight", "model.layers.0.moe.router.weight", "weight"])
def test_an_unknown_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInput, match=f"{name}: belongs to no known component"):
        cuts_of(name, (2, 2))
