"""Pages of the recipe's keys: a page a section, a table a subsection, from the pydantic schema."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from prism.recipe import Recipe

FOLDER = "reference/recipe"
_BOUNDS = {
    Gt: ("gt", "> "),
    Ge: ("ge", ">= "),
    Lt: ("lt", "< "),
    Le: ("le", "<= "),
    MinLen: ("min_length", "at least "),
}


@dataclass(frozen=True)
class Section:
    """A section of a recipe, such as `cluster.slurm`."""

    path: str
    model: type[BaseModel]
    same_as: str | None
    """Another section with the same keys, whose table stands for this one's."""


def pages() -> dict[str, str]:
    """Content by name of file."""
    found = {f"{FOLDER}/index.md": _index()}
    for key, field in Recipe.model_fields.items():
        sections = list(_below(key, field.annotation, {}))
        if sections:
            found[f"{FOLDER}/{key}.md"] = "\n".join([f"# {key}", "", field.description or "", "", *_tables(sections)])
    return found


def _index() -> str:
    lines = [
        "# Recipe keys",
        "",
        "Generated from the schema that checks every recipe; `prism recipes schema` prints it as JSON.",
        "`<name>` stands for a name of your own, `[]` for an entry of a list.",
        "",
        "| section | |",
        "|---|---|",
    ]
    for key, field in Recipe.model_fields.items():
        has_page = any(True for _ in _below(key, field.annotation, {}))
        lines.append(f"| {f'[`{key}`]({key}.md)' if has_page else f'`{key}`'} | {_cell(field.description or '')} |")
    return "\n".join([*lines, ""])


def _tables(sections: list[Section]) -> Iterator[str]:
    for section in sections:
        if section.path.count(".") or "[]" in section.path:
            yield f"## `{section.path}` {{ #{anchor(section.path)} }}"
            yield ""
        yield from [_summary(section.model), ""]
        if section.same_as is not None:
            yield from [f"The keys of [`{section.same_as}`](#{anchor(section.same_as)}).", ""]
            continue
        yield from ["| key | type | default | |", "|---|---|---|---|"]
        for name, field in section.model.model_fields.items():
            key = field.alias or name
            place = f'<span id="{anchor(section.path)}.{key}"></span>'
            cells = [f"{place}`{key}`", _type(field), _default(field), _cell(field.description or "")]
            yield f"| {' | '.join(cells)} |"
        yield ""


def _below(path: str, annotation: Any, seen: dict[type[BaseModel], str]) -> Iterator[Section]:
    """The section at `path`, and those inside it, each set of keys once."""
    for place, model in _models(path, annotation):
        yield Section(place, model, seen.get(model))
        if model in seen:
            continue
        seen[model] = place
        for name, field in model.model_fields.items():
            yield from _below(f"{place}.{field.alias or name}", field.annotation, seen)


def _models(path: str, annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield path, annotation
        return
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        yield from _models(f"{path}.<name>", parts[1])
    elif origin in (list, tuple):
        yield from _models(f"{path}[]", parts[0])
    elif origin is typing.Annotated:
        yield from _models(path, parts[0])
    elif origin in (typing.Union, types.UnionType):
        for part in parts:
            yield from _models(path, part)


def anchor(path: str) -> str:
    """The anchor of a section, or of a key: its path, without signs that HTML doesn't like."""
    return path.replace("<name>", "name").replace("[]", "")


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _type(field: FieldInfo) -> str:
    bounds = [f"{sign}{getattr(bound, key)}" for bound in field.metadata if type(bound) in _BOUNDS
              for key, sign in [_BOUNDS[type(bound)]]]  # fmt: skip
    return _cell(" ".join([_name(field.annotation), ", ".join(bounds)]).strip())


def _name(annotation: Any) -> str:
    if annotation is type(None):
        return "null"
    if annotation is Any:
        return "anything"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, BaseModel):
            return "section"
        return {"str": "text", "bool": "true or false", "int": "whole number", "float": "number"}.get(
            annotation.__name__, annotation.__name__
        )
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin is dict:
        return f"mapping to {_name(parts[1])}"
    if origin in (list, tuple):
        return f"list of {_name(parts[0])}"
    if origin is typing.Annotated:
        return _name(parts[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_name(part) for part in parts))
    return "anything"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined:
        assert field.default_factory is not None
        value = field.default_factory()  # type: ignore[call-arg]
    if isinstance(value, BaseModel):
        return "its own"
    if value is None or isinstance(value, bool):
        return f"`{'null' if value is None else str(value).lower()}`"
    return f"`{value}`" if value != "" else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
