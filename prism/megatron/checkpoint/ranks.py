"""How ranks agree about checkpoints. Without process groups, or in a world of one, every answer is one's own."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import torch.distributed as dist

Value = TypeVar("Value")
_PATIENCE_S = (0.01, 0.5)
"""From one look for other ranks' notes to the next: at first, and at most."""
_numbers = itertools.count()


def alone() -> bool:
    return not dist.is_initialized() or dist.get_world_size() == 1


def is_first() -> bool:
    return alone() or dist.get_rank() == 0


def from_all_ranks(value: Value) -> list[Value]:
    """Every rank's plain value, by rank. Collective."""
    if alone():
        return [value]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def first_ranks(value: Value) -> Value:
    """The first rank's plain value. Collective."""
    if alone():
        return value
    holder = [value]
    dist.broadcast_object_list(holder, src=0)
    return holder[0]


def own_share(items: Sequence[Value]) -> list[Value]:
    """This rank's of items that ranks deal out."""
    return list(items) if alone() else list(items[dist.get_rank() :: dist.get_world_size()])


class Notes:
    """Small messages of one save between ranks' writers, beside the collectives of training.

    They travel through torch.distributed's store. Every rank makes one for every save, in the same order.
    """

    def __init__(self) -> None:
        number = next(_numbers)
        self._world = 1 if alone() else dist.get_world_size()
        self._store: Any = None
        if self._world > 1:
            self._store = dist.PrefixStore(f"prism/checkpoint/{number}", dist.distributed_c10d._get_default_store())  # type: ignore[attr-defined]

    def leave(self, rank: int, note: dict[str, Any]) -> None:
        """What `rank` has to say."""
        self._mine = note
        if self._store is not None:
            self._store.set(str(rank), json.dumps(note))

    def of_all(self) -> list[dict[str, Any]]:
        """Every rank's note; waits until all have left one."""
        if self._store is None:
            return [self._mine]
        names = [str(rank) for rank in range(self._world)]
        found = [json.loads(self._wait_for(name)) for name in names]
        for name in names:
            self._store.delete_key(name)
        return found

    def conclude(self, outcome: dict[str, Any]) -> None:
        """The first rank says how the save ended."""
        if self._store is not None:
            self._store.set("outcome", json.dumps(outcome))

    def outcome(self) -> dict[str, Any]:
        """How the first rank says that the save ended; waits for it."""
        found: dict[str, Any] = json.loads(self._wait_for("outcome"))
        return found

    def _wait_for(self, name: str) -> bytes:
        """Looks again and again: a waiting call would hold the store, and training may need it."""
        pause, longest = _PATIENCE_S
        while not self._store.check([name]):
            time.sleep(pause)
            pause = min(2 * pause, longest)
        content: bytes = self._store.get(name)
        return content
