"""Which keys the schema knows at a place, for the nearest valid name in errors."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel


def fields_at(model: type[BaseModel], path: Sequence[str]) -> set[str]:
    """Names of the keys that the section at `path` knows."""
    annotation: Any = model
    for key in path:
        section = _section(annotation)
        if section is not None:
            by_name = {field.alias or name: field for name, field in section.model_fields.items()}
            annotation = by_name[key].annotation if key in by_name else None
        else:
            annotation = next(iter(typing.get_args(_bare(annotation))[1:]), None)
    section = _section(annotation)
    return {field.alias or name for name, field in section.model_fields.items()} if section else set()


def _bare(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    bare = _bare(annotation)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None
