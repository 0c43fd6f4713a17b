"""Versions of the files that outlive a release, and how older ones become what this release reads.

A change that an older reader would misunderstand raises the number by one and adds a migration from the number
before; migrations stay. Reading goes through `migrate`, so the rest of the code knows the current form only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prism.errors import BadInput, PrismError, RecipeError
from prism.recipe.moves import Move, moved

Content = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """A kind of file. `migrations[n]` turns version n into n + 1; `version` is what this release reads and writes."""

    name: str
    version: int
    migrations: Mapping[int, Callable[[Content], Content]] = field(default_factory=dict)

    def migrate(self, content: object, place: str, error: type[PrismError] = BadInput) -> Content:
        """`content` as the current version has it.

        Args:
            place: what the error names.

        Raises:
            PrismError: of class `error`; there is no such version, or another release reads it.
        """
        if not isinstance(content, dict):
            raise error(f"isn't a {self.name}", place=place, remedy="restore it, or make it again")
        version = content.get("schema_version")
        if isinstance(version, bool) or not isinstance(version, int) or not self._readable(version):
            raise error(
                f"schema_version {version}, this release reads {self.version} of a {self.name}",
                place=place,
                remedy=self._remedy(version, content.get("release")),
            )
        while version < self.version:
            content = {**self.migrations[version](content), "schema_version": version + 1}
            version += 1
        return content

    def _readable(self, version: int) -> bool:
        return version == self.version or (version < self.version and version in self.migrations)

    def _remedy(self, version: object, release: object) -> str:
        if isinstance(release, str):
            return f"use prism-megatron {release}, which wrote it"
        if isinstance(version, int) and version > self.version:
            return f"use a later release of prism-megatron: one whose {self.name} schema is {version}"
        return "restore it, or make it again"


def _checkpoint_1(content: Content) -> Content:
    """Version 1 had the loop's keys at the top, and neither checksums nor layout."""
    own = ("schema_version", "step")
    return {
        "step": content["step"],
        "state": {key: value for key, value in content.items() if key not in own},
        "layout": None,
        "model": None,
        "files": None,
    }


_CLUSTER = {
    "aligner.devices_per_node": "devices_per_node",
    "aligner.partition": "slurm.partition",
    "aligner.account": "slurm.account",
    "aligner.mounts": "slurm.mounts",
    "placement.gpu_memory_gib": "device_memory_gib",
}

RECIPE_MOVES: Mapping[int, tuple[Move, ...]] = {
    1: tuple(
        move
        for old, new in _CLUSTER.items()
        for move in (Move(f"rl.{old}", f"cluster.{new}"), Move(f"pipeline.*.with.{old}", f"pipeline.*.cluster.{new}"))
    )
}
"""Keys of a recipe that moved, by the version that had them last. An old name is never given to another key: so files
that state no version (fragments) and overrides are read with all moves.
"""

ALL_RECIPE_MOVES = tuple(move for moves in RECIPE_MOVES.values() for move in moves)

RECIPE = Format("recipe", 2, {version: partial(moved, moves=moves) for version, moves in RECIPE_MOVES.items()})
SWEEP = Format("sweep", 1)
MANIFEST = Format("manifest", 1)
CHECKPOINT = Format("checkpoint", 2, {1: _checkpoint_1})


def current_recipe(content: Content, place: str) -> Content:
    """A recipe file, a fragment or an override as this release reads it; a version is stated where one was.

    Raises:
        RecipeError: there is no such version, or another release reads it; a key is set under an old and a new name.
    """
    stated = "schema_version" in content
    found = RECIPE.migrate({"schema_version": min(RECIPE_MOVES), **content}, place, RecipeError)
    return found if stated else {key: value for key, value in found.items() if key != "schema_version"}


def current_section(section: Content) -> Content:
    """Recipe keys that a manifest holds, as this release would have written them: what only says how to run is out."""
    found = moved(section, ALL_RECIPE_MOVES)
    return {key: value for key, value in found.items() if key not in ("cluster", "schema_version")}
