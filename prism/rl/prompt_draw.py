"""Prompts by what they are, not by where they stand: their number, and draws that no order changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from prism.rl.prompts import RlPrompt

Item = TypeVar("Item")


def prompt_number(prompt: RlPrompt) -> int:
    """63 bits of the prompt's domain, id and question: names its samples' randomness wherever it stands."""
    return _hash(f"{prompt.domain}\0{prompt.row.get('id', '')}\0{prompt.question}") >> 1


def prompt_name(prompt: RlPrompt) -> str:
    """The row's id; the prompt's number where it has none."""
    found = prompt.row.get("id")
    return str(found) if found is not None else f"{prompt_number(prompt):016x}"


def drawn(items: Sequence[Item], count: int, prompt_of: Callable[[Item], RlPrompt], name: str) -> list[Item]:
    """`count` items without replacement, in their order, all where there are no more: those with the smallest hash of
    `name` and their prompt.

    The draw of fewer lies within the draw of more. It depends neither on the order of the items nor, for those that
    are in both, on what else there is.
    """
    if count >= len(items):
        return list(items)
    keys = [(_hash(f"{name}\0{prompt_number(prompt_of(item))}"), place) for place, item in enumerate(items)]
    return [items[place] for _, place in sorted(sorted(keys)[:count], key=lambda key: key[1])]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
