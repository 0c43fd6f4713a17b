"""Reads this room's YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from prism.errors import BadInput

FOLDER = Path(__file__).parent
_T = TypeVar("_T")


def read(path: Path, shape: type[_T]) -> _T:
    """A file as `shape`.

    Raises:
        BadInput: it isn't YAML, or not of that shape.
    """
    remedy = "restore the file of the installed release"
    try:
        return TypeAdapter(shape).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise BadInput(f"not valid YAML ({str(error).splitlines()[0]})", place=str(path), remedy=remedy) from None
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise BadInput(f"{key}: {problem['msg'].lower()}", place=str(path), remedy=remedy) from None
