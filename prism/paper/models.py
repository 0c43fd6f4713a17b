"""The paper's models, and which of them a run starts from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import PurePath

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from prism.paper.reading import FOLDER, read


@dataclass(frozen=True, config={"extra": "forbid"})
class PaperModel:
    """`title` as the paper writes it, `hub` the repository of its base checkpoint."""

    title: str
    hub: str


@cache
def paper_models() -> Mapping[str, PaperModel]:
    """By the names of recipes/models."""
    return TypeAdapter(Mapping[str, PaperModel]).validate_python(read(FOLDER / "models.yaml", dict))


def paper_model(hub: str | None, path: str | None) -> str | None:
    """The name of the model whose published weights these are: by repository, else by the folder's name."""
    for name, model in paper_models().items():
        if hub is not None and hub.lower() == model.hub.lower():
            return name
        if hub is None and path is not None and PurePath(path).name == name:
            return name
    return None
