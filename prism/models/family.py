"""The families, and which one a config.json belongs to."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from prism.errors import BadInput, RecipeError
from prism.models.granite import config as granite_config
from prism.models.granite import weights as granite_weights
from prism.models.granite_moe_hybrid import config as granite_moe_hybrid_config
from prism.models.granite_moe_hybrid import weights as granite_moe_hybrid_weights
from prism.models.hf_config import HfConfig
from prism.models.llama import config as llama_config
from prism.models.llama import weights as llama_weights
from prism.models.mistral import config as mistral_config
from prism.models.mistral import weights as mistral_weights
from prism.models.nemotron_h import config as nemotron_h_config
from prism.models.nemotron_h import weights as nemotron_h_weights
from prism.models.weights import Weight

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


@dataclass(frozen=True)
class Family:
    """What a family has to say about its Hugging Face form."""

    architecture: str
    model_type: str
    from_hf: Callable[[HfConfig], ModelConfig]
    to_hf: Callable[[ModelConfig, int, int], dict[str, Any]]
    weight_map: Callable[[ModelConfig, int], Iterator[Weight]]

    def hf_config(self, model: ModelConfig, vocab_size: int, end_of_document_id: int) -> dict[str, Any]:
        """A config.json for a model that this project trained."""
        names = {"architectures": [self.architecture], "model_type": self.model_type}
        return {**names, **self.to_hf(model, vocab_size, end_of_document_id)}


def _family(config: ModuleType, weights: ModuleType) -> Family:
    return Family(config.ARCHITECTURE, config.MODEL_TYPE, config.from_hf, config.to_hf, weights.weight_map)


FAMILIES = {
    "llama": _family(llama_config, llama_weights),
    "mistral": _family(mistral_config, mistral_weights),
    "granite": _family(granite_config, granite_weights),
    "granite_moe_hybrid": _family(granite_moe_hybrid_config, granite_moe_hybrid_weights),
    "nemotron_h": _family(nemotron_h_config, nemotron_h_weights),
}


def family_of(model: ModelConfig) -> Family:
    """Raises RecipeError when the family is unknown."""
    try:
        return FAMILIES[model.family]
    except KeyError:
        raise RecipeError(
            f"unknown model family {model.family!r}", place="model.family", remedy=f"use one of {', '.join(FAMILIES)}"
        ) from None


def identify(folder: Path) -> ModelConfig:
    """The model that a Hugging Face folder holds, by its config.json.

    Raises:
        BadInput: the model is unknown, or a key says what its family doesn't support.
    """
    config = HfConfig.read(folder)
    kind = config.values.get("model_type")
    for family in FAMILIES.values():
        if family.model_type == kind:
            config.only(architectures=[family.architecture])
            return family.from_hf(config)
    known = [family.model_type for family in FAMILIES.values()]
    near = difflib.get_close_matches(str(kind), known, n=1, cutoff=0.5)
    raise BadInput(
        f"model_type is {kind!r}; known are {', '.join(known)}",
        place=config.place,
        remedy=f"did you mean {near[0]}?" if near else "convert one of these, or add the family (CONTRIBUTING.md)",
    )
