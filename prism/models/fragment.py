"""A Hugging Face folder as a recipe fragment: model, tokenizer, and the stage that imports its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from data_prep.files import read_json
from prism.errors import BadInput
from prism.models.family import identify


def recipe_fragment(folder: Path) -> str:
    """YAML that a recipe `extends`. Keys of the model that have their default are left out.

    Raises:
        BadInput: the model is unknown or has a feature that its family doesn't support, there is no tokenizer.json,
            or nothing says which token ends a document.
    """
    model = identify(folder)
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise BadInput("no tokenizer.json", place=str(folder), remedy="fetch it; transformers writes it from others")
    fragment: dict[str, Any] = {
        "model": {"family": model.family, **model.model_dump(exclude_defaults=True, exclude={"initialisation"})},
        "data": {
            "tokenizer": {
                "kind": "file",
                "path": str(tokenizer),
                "end_of_document": end_of_document(folder),
            }
        },
        "pipeline": {
            "base": {
                "stage": "import",
                "with": {"path": str(folder)},
                "cluster": {"processes": 1, "tensor_parallel": 1},
                "evaluate": False,
            }
        },
    }
    return yaml.safe_dump(fragment, sort_keys=False, width=120, allow_unicode=True)


def end_of_document(folder: Path) -> str:
    """The token that a folder's config.json ends a text with, else the one that its tokenizer_config.json does.

    Raises:
        BadInput: neither names one.
    """
    ids = read_json(folder / "config.json").get("eos_token_id")
    first = ids[0] if isinstance(ids, list) and ids else ids
    for token in read_json(folder / "tokenizer.json").get("added_tokens", []):
        if token["id"] == first:
            return str(token["content"])
    settings = folder / "tokenizer_config.json"
    named = read_json(settings).get("eos_token") if settings.is_file() else None
    found = named.get("content") if isinstance(named, dict) else named
    if not isinstance(found, str):
        raise BadInput(
            "no token ends a text",
            place=str(folder),
            remedy="give config.json an eos_token_id that is among tokenizer.json's added tokens",
        )
    return found
