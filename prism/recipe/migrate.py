"""Recipe files that an older release wrote: which there are, what changes in each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import write_text
from prism.errors import RecipeError
from prism.recipe.compose import parse_yaml
from prism.recipe.rewrite import rewritten


@dataclass(frozen=True)
class Change:
    """A file, its text, and the text of this release's schema version."""

    file: Path
    before: str
    after: str

    def diff(self) -> str:
        """As `diff -u` shows it."""
        before, after = self.before.splitlines(), self.after.splitlines()
        return "\n".join(difflib.unified_diff(before, after, str(self.file), str(self.file), lineterm=""))


def recipe_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files of `paths`, and the YAML files below its folders."""
    for path in paths:
        yield from sorted(path.rglob("*.yaml")) if path.is_dir() else [path]


def change_of(file: Path) -> Change | None:
    """What is old in a recipe or a fragment; None where nothing is, and for sweeps: their overrides are always read.

    Raises:
        RecipeError: it isn't a recipe that this release reads.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"not valid YAML ({error})", place=str(file), remedy="write plain UTF-8 YAML") from None
    if "figures" in parse_yaml(text, str(file))[0]:
        return None
    after = rewritten(text, str(file))
    return None if after == text else Change(file, text, after)


def write_change(change: Change) -> None:
    """Writes the file whole or not at all."""
    write_text(change.file, change.after)
