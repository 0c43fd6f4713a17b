"""Reads the files of a run directory: a missing file is None, a damaged one an error that names it.

What is read is noted with its hash, so that a page can say which bytes its figures come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from prism.errors import BadInput
from prism.recipe.versions import RECIPE

SCHEMA_VERSION = 1
_VERSIONS = {"BlendLock": 2, "RecipeFile": RECIPE.version}
"""Schema versions of the shapes that aren't at SCHEMA_VERSION."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Artifact:
    """A file as it was read. path: within the run's folder."""

    path: str
    bytes: int
    sha256: str


_READ: ContextVar[dict[Path, Artifact] | None] = ContextVar("read", default=None)


@contextmanager
def noting(directory: Path) -> Iterator[dict[Path, Artifact]]:
    """Collects what is read inside, by path, in the order of reading."""
    found: dict[Path, Artifact] = {}
    token = _READ.set(found)
    try:
        yield found
    finally:
        _READ.reset(token)
        for path, artifact in found.items():
            found[path] = Artifact(path.relative_to(directory).as_posix(), artifact.bytes, artifact.sha256)


def read_bytes(path: Path) -> bytes:
    """The file's content, noted."""
    content = path.read_bytes()
    found = _READ.get()
    if found is not None:
        found[path] = Artifact(str(path), len(content), hashlib.sha256(content).hexdigest())
    return content


def read_json(path: Path, shape: type[_T]) -> _T | None:
    """The file's content as `shape`; None where there is no file.

    Raises:
        BadInput: the file isn't JSON, lacks a key, holds a value of the wrong type, or another release wrote it.
    """
    if not path.is_file():
        return None
    return _as(shape, _parse(_text(path), str(path), path), path)


def read_json_lines(path: Path, shape: type[_T]) -> tuple[_T, ...] | None:
    """One `shape` a line; None where there is no file. A last line without its line break is still being written.

    Raises:
        BadInput: a line isn't JSON or isn't a `shape`.
    """
    if not path.is_file():
        return None
    adapter = TypeAdapter(shape)
    rows = []
    for number, line in enumerate(_text(path).splitlines(keepends=True), start=1):
        if not line.strip() or not line.endswith("\n"):
            continue
        place = f"{path}:{number}"
        rows.append(_validated(adapter, _parse(line, place, path), place, path))
    return tuple(rows)


def read_yaml(path: Path, shape: type[_T]) -> tuple[_T, str] | None:
    """The file's content as `shape`, and its text; None where there is no file.

    Raises:
        BadInput: the file isn't YAML, or another release wrote it.
    """
    if not path.is_file():
        return None
    text = _text(path)
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"not valid YAML ({_first_line(error)})", place=str(path), remedy=_remedy(path)) from None
    return _as(shape, values, path), text


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 text ({error})", place=str(path), remedy=_remedy(path)) from None


def _parse(text: str, place: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"not valid JSON ({error})", place=place, remedy=_remedy(path)) from None


def _as(shape: type[_T], values: Any, path: Path) -> _T:
    if getattr(shape, "__name__", "") == "RecipeFile" and isinstance(values, dict):
        values = RECIPE.migrate({"schema_version": RECIPE.version, **values}, str(path))
    expected = _VERSIONS.get(getattr(shape, "__name__", ""), SCHEMA_VERSION)
    version = values.get("schema_version", expected) if isinstance(values, dict) else expected
    if version != expected:
        raise BadInput(
            f"schema_version {version}, this release reads {expected}",
            place=str(path),
            remedy="use the release of prism-megatron that wrote it",
        )
    return _validated(TypeAdapter(shape), values, str(path), path)


def _validated(adapter: TypeAdapter[_T], values: Any, place: str, path: Path) -> _T:
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise BadInput(f"{key}: {problem['msg'].lower()}", place=place, remedy=_remedy(path)) from None


def _remedy(path: Path) -> str:
    return f"restore {path.name}, or delete it and run its stage again"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
