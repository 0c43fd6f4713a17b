"""Units of work, which of them need which, and an order in which they could run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from prism.errors import UsageError


@dataclass(frozen=True)
class RawSource:
    """Raw data outside of the run: a file, glob or folder, of which files named like `pattern` are read."""

    path: str
    pattern: str = "*"
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A unit of work that runs in one process (or one torchrun) and is skipped as a whole.

    `inputs` and `outputs` are paths relative to the run directory, or absolute for files from outside. `owns` are
    the paths that are set aside before the node starts anew. `sources` are raw data, compared by size and
    modification time (the cards hold their content hashes).
    """

    name: str
    kind: str
    section: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    sources: tuple[RawSource, ...] = ()
    needs: tuple[str, ...] = ()
    steps: int | None = None


def linked(nodes: Sequence[Node]) -> list[Node]:
    """Nodes with `needs`: those that make an input, or a folder that an input lies in."""
    makers = {output: node.name for node in nodes for output in node.outputs}

    def maker(path: str) -> str | None:
        places = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
        return next((makers[place] for place in places if place in makers), None)

    linked = []
    for node in nodes:
        found = dict.fromkeys(name for path in node.inputs if (name := maker(path)) is not None)
        if node.name == "report":
            found = dict.fromkeys(other.name for other in nodes if other.name != "report")
        needs = tuple(name for name in found if name != node.name)
        linked.append(replace(node, needs=needs))
    return linked


def in_order(nodes: Sequence[Node]) -> dict[str, Node]:
    """Nodes by name, each after those that it needs. The recipe's checks have ruled out circles."""
    ordered: dict[str, Node] = {}
    left = list(nodes)
    while left:
        ready = [node for node in left if all(need in ordered for need in node.needs)]
        if not ready:
            raise UsageError(
                f"stages need each other in a circle: {', '.join(node.name for node in left)}",
                place="pipeline",
                remedy="change `from` or `prompts_from` of one of them",
            )
        ordered.update((node.name, node) for node in ready)
        left = [node for node in left if node.name not in ordered]
    return ordered
