"""Published models from the hub, at a pinned commit: the folders that import stages read. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.fetch import FetchRequest
from data_prep.files import read_json
from prism.errors import BadInput, UsageError

if TYPE_CHECKING:
    from prism.recipe import Recipe

PATTERNS = (
    "model*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template*",
    "LICENSE*",
    "USE_POLICY*",
)
"""Configuration, safetensors, tokenizer, licence. Neither pickles nor code, nor a second copy of the weights in another
layout (`original/`, `consolidated.safetensors`).
"""


def model_requests(recipe: Recipe, stages: Sequence[str] = ()) -> list[FetchRequest]:
    """What the import stages of a recipe name on the hub; models that several stages share come once.

    Args:
        stages: only these; empty means all that name a model.

    Raises:
        UsageError: there is no such import stage, or it names no model of the hub.
    """
    imports = {name: recipe.import_config(name) for name, node in recipe.pipeline.items() if node.stage == "import"}
    for name in stages:
        if name not in imports or imports[name].hub is None:
            what = "names no model of the hub" if name in imports else "isn't an import stage of the recipe"
            raise UsageError(
                f"stage {name} {what}", place=f"pipeline.{name}", remedy="set its with.hub, or leave it out"
            )
    found = {}
    for name, config in imports.items():
        if config.hub is not None and (not stages or name in stages):
            request = FetchRequest(
                name=Path(config.path).name,
                hub=config.hub,
                revision=config.revision,
                patterns=PATTERNS,
                licence="as its page says",
                path=config.path,
                kind="model",
            )
            found[config.path] = request
    if not found:
        raise UsageError(
            "no import stage names a model of the hub",
            place="pipeline",
            remedy="extend a fragment of recipes/models, or set pipeline.<stage>.with.hub",
        )
    return list(found.values())


def check_weights(folder: Path) -> None:
    """The folder has a configuration and every file of its weights.

    Raises:
        BadInput: it hasn't.
    """
    index = folder / "model.safetensors.index.json"
    if not (folder / "config.json").is_file():
        raise BadInput("no config.json", place=str(folder), remedy="name a model of the hub that transformers reads")
    shards = set(read_json(index)["weight_map"].values()) if index.is_file() else {"model.safetensors"}
    missing = sorted(shard for shard in shards if not (folder / shard).is_file())
    if missing:
        raise BadInput(
            f"no {', '.join(missing[:3])}: its weights aren't all there as safetensors",
            place=str(folder),
            remedy="choose a revision that has safetensors; pickled weights are never read",
        )
