"""A recipe file rewritten to the current schema version, as text: comments, order and layout stay.

A YAML library that writes what it read loses the comments around a key that is taken out, or lays the file out anew;
so only the lines of moved keys are touched, where PyYAML's marks say that they are, and the result is read again and
compared with what the migration makes of the file's values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from prism.errors import RecipeError
from prism.recipe.compose import parse_yaml
from prism.recipe.moves import KeyPath, Move, is_unset, matching, renamed_references
from prism.recipe.versions import ALL_RECIPE_MOVES, RECIPE, current_recipe

_STEP = 2
"""Columns that a nested key is set in."""


def rewritten(text: str, place: str) -> str:
    """`text` of a recipe or a fragment as this release writes it; itself where nothing is old.

    Raises:
        RecipeError: it isn't a recipe that this release reads, or it is laid out in a way that can't be edited.
    """
    before, places = parse_yaml(text, place)
    wanted = current_recipe(before, places.get(("schema_version",), place))
    if wanted == before:
        return text
    try:
        result = _edited(text, before)
        if parse_yaml(result, place)[0] == wanted:
            return result
    except (yaml.YAMLError, RecipeError):  # an edit spoiled it, by way of an alias or a key of several lines
        pass
    raise RecipeError(
        "its moved keys can't be rewritten in place",
        place=place,
        remedy="move by hand what `prism recipes show` shows under `cluster`",
    )


def _edited(text: str, values: Mapping[str, Any]) -> str:
    text = renamed_references(_with_version(text), ALL_RECIPE_MOVES)
    for move in ALL_RECIPE_MOVES:
        for old in list(matching(values, move.old.split("."))):
            text = _with_move(text, old, move)
    return text


def _with_version(text: str) -> str:
    for key, value in _root(text).value:
        if key.value == "schema_version":
            return text[: value.start_mark.index] + str(RECIPE.version) + text[value.end_mark.index :]
    return text


@dataclass(frozen=True)
class _Entry:
    """A key of a mapping with its value."""

    mapping: yaml.MappingNode
    key: yaml.ScalarNode
    value: yaml.Node


def _root(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return root if isinstance(root, yaml.MappingNode) else yaml.MappingNode("tag:yaml.org,2002:map", [])


def _chain(text: str, path: Sequence[str]) -> list[_Entry]:
    """The entries along `path`, as many as there are."""
    node: yaml.Node = _root(text)
    found: list[_Entry] = []
    for name in path:
        entry = next((pair for pair in node.value if pair[0].value == name), None)
        if not isinstance(node, yaml.MappingNode) or entry is None:
            break
        found.append(_Entry(node, *entry))
        node = entry[1]
        if not isinstance(node, yaml.MappingNode):
            break
    return found


def _with_move(text: str, old: KeyPath, move: Move) -> str:
    new = move.renamed(old)
    chain = _chain(text, old)
    if new is None or len(chain) < len(old):
        return text  # the final comparison tells
    value = _one_line(text, chain[-1].value)
    emptied = len(chain) - 1
    while emptied and len(chain[emptied].mapping.value) == 1:
        emptied -= 1
    text, comments = _without(text, chain[emptied], chain[-1])
    return _with(text, new, value, comments)


def _one_line(text: str, node: yaml.Node) -> str:
    """The value as it stands; a list in lines becomes one in brackets."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return "[" + ", ".join(_bracketed(_one_line(text, item)) for item in node.value) + "]"
    return text[node.start_mark.index : node.end_mark.index] or "null"


def _bracketed(value: str) -> str:
    """The same value where it stands in brackets: in quotes, if it has signs that mean something there."""
    try:
        if yaml.safe_load(f"[{value}]") == [yaml.safe_load(value)]:
            return value
    except yaml.YAMLError:
        pass
    return json.dumps(value)


def _without(text: str, top: _Entry, leaf: _Entry) -> tuple[str, list[str]]:
    """The text without `top`, and the comments that stood around what went."""
    if top.mapping.flow_style:
        pairs = top.mapping.value
        index = next(place for place, pair in enumerate(pairs) if pair[0] is top.key)
        if index + 1 < len(pairs):
            start, end = top.key.start_mark.index, pairs[index + 1][0].start_mark.index
        else:
            start = pairs[index - 1][1].end_mark.index if index else top.key.start_mark.index
            end = top.value.end_mark.index
        return text[:start] + text[end:], []
    lines = text.splitlines(keepends=True)
    first, last = top.key.start_mark.line, _last_line(top.value)
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    comments = []
    for number in range(first, last + 1):
        behind = leaf.value.end_mark.column if number == leaf.value.end_mark.line else 0
        found = re.search(r"(?:^|\s)(#.*)$", lines[number][behind:].rstrip("\n"))
        comments += [found[1]] if found else []
    return "".join(lines[:first] + lines[last + 1 :]), comments


def _last_line(node: yaml.Node) -> int:
    """Line of a node's last character; PyYAML ends a collection in lines where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line


def _with(text: str, new: KeyPath, value: str, comments: list[str]) -> str:
    chain = _chain(text, new)
    if len(chain) == len(new):
        there = chain[-1].value
        if is_unset(yaml.safe_load(text[there.start_mark.index : there.end_mark.index] or "null")):
            text = text[: there.start_mark.index] + value + text[there.end_mark.index :]
        return text
    parent = chain[-1].value if chain else _root(text)
    if isinstance(parent, yaml.MappingNode) and parent.flow_style:
        return _in_flow(text, parent, new[len(chain) :], value, comments)
    return _in_lines(text, parent, new[len(chain) :], value, comments)


def _in_flow(text: str, parent: yaml.MappingNode, names: KeyPath, value: str, comments: list[str]) -> str:
    """Within `{...}`; comments go above the line that it begins in."""
    brace = parent.end_mark.index - 1
    entry = f"{names[0]}: " + "".join(f"{{{name}: " for name in names[1:]) + _bracketed(value) + "}" * (len(names) - 1)
    head = text[:brace].rstrip()
    text = head + (", " if parent.value else "") + entry + text[brace:]
    begin = text.rfind("\n", 0, parent.start_mark.index) + 1
    indent = re.match(r" *", text[begin:])
    above = "".join(f"{indent[0] if indent else ''}{comment}\n" for comment in comments)
    return text[:begin] + above + text[begin:]


def _in_lines(text: str, parent: yaml.Node, names: KeyPath, value: str, comments: list[str]) -> str:
    """Below the last key of a mapping in lines; a new section comes to the end of the file."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    column, after = 0, len(lines)
    if parent.value and parent.start_mark is not None and parent.start_mark.column:
        column, after = parent.value[0][0].start_mark.column, _last_line(parent) + 1
    inserted = ["\n"] if not column and lines and lines[-1].strip() else []
    for depth, name in enumerate(names):
        indent = " " * (column + _STEP * depth)
        if depth == len(names) - 1:
            inserted += [f"{indent}{comment}\n" for comment in comments] + [f"{indent}{name}: {value}\n"]
        else:
            inserted.append(f"{indent}{name}:\n")
    return "".join(lines[:after] + inserted + lines[after:])
