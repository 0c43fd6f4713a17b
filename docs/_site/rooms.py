"""A page of the Python API for every room: what its package offers, then its public modules."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "reference/python"
ROOMS = ("data_prep",)
"""Packages beside prism's own rooms."""


def pages() -> dict[str, str]:
    """Content by name of file."""
    found: dict[str, str] = {}
    index = ["# Python API", "", "Generated from the docstrings, room by room.", "", "| room | |", "|---|---|"]
    for room in rooms():
        name = room.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        source = room / "__init__.py" if room.is_dir() else room
        index.append(f"| [`{name}`]({name}.md) | {_summary(source)} |")
        modules = [name, *_modules(room)] if room.is_dir() else [name]
        found[f"{FOLDER}/{name}.md"] = "\n".join([f"# {name}", "", *(f"::: {module}\n" for module in modules)])
    return {f"{FOLDER}/index.md": "\n".join([*index, ""]), **found}


def rooms() -> list[Path]:
    """Packages and modules of prism that others import, and data_prep."""
    inside = [path for path in sorted((ROOT / "prism").iterdir()) if _is_public(path) and path.stem not in _INNER]
    return [*inside, *(ROOT / name for name in ROOMS)]


_INNER = ("cli", "commands")
"""Documented as commands."""


def _is_public(path: Path) -> bool:
    if path.name.startswith("_"):
        return False
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _modules(room: Path) -> list[str]:
    """Modules below a room, unless a folder of their path is private."""
    names = []
    for path in sorted(room.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if path.name != "__init__.py" and not any(part.startswith("_") for part in parts):
            names.append(".".join(parts))
    return names


def _summary(source: Path) -> str:
    return (ast.get_docstring(ast.parse(source.read_text())) or "").split("\n")[0].replace("|", "\\|")
