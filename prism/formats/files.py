"""What both kinds of checkpoint share: how tensors are dealt out to files, and how checkpoints of steps are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


def step_name(step: int) -> str:
    """Name of a checkpoint's folder."""
    return f"step_{step:08d}"


class Sized(Protocol):
    @property
    def bytes(self) -> int: ...


Item = TypeVar("Item", bound=Sized)


def by_file(items: Sequence[Item], file_bytes: int) -> list[list[Item]]:
    """Items in order, a file's worth at a time: at most `file_bytes`, or one item."""
    files: list[list[Item]] = []
    room = 0
    for item in items:
        if item.bytes > room or not files:
            files.append([])
            room = file_bytes
        files[-1].append(item)
        room -= item.bytes
    return files
