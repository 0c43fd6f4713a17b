"""The compiled part of Best-Fit Decreasing.

Rooms that some pack has are marked in the leaves of a binary tree, whose inner nodes say whether a leaf below is
marked: the smallest room of at least a length is found by one way up and one way down. Packs of equal room form a
linked list.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64]
_compiled = numba.njit(cache=True)


def _descending(lengths: Array, capacity: int) -> Array:
    """Pieces by falling length; equal ones keep their order."""
    place = np.zeros(capacity + 2, np.int64)
    for length in lengths:
        place[capacity - length + 1] += 1
    place = np.cumsum(place)
    order = np.empty(len(lengths), np.int64)
    for piece in range(len(lengths)):
        bucket = capacity - lengths[piece]
        order[place[bucket]] = piece
        place[bucket] += 1
    return order


def _mark(tree: NDArray[np.bool_], room: int) -> None:
    node = len(tree) // 2 + room
    while node and not tree[node]:
        tree[node] = True
        node //= 2


def _unmark(tree: NDArray[np.bool_], room: int) -> None:
    node = len(tree) // 2 + room
    tree[node] = False
    while node > 1 and not tree[node ^ 1]:
        node //= 2
        tree[node] = False


def _tightest(tree: NDArray[np.bool_], length: int) -> int:
    """The smallest marked room of at least `length`, or -1."""
    leaves = len(tree) // 2
    node = leaves + length
    while not tree[node]:
        while node & 1:  # a right child: what is larger lies beside an ancestor
            node //= 2
        if not node:
            return -1
        node += 1
    while node < leaves:
        node *= 2
        if not tree[node]:
            node += 1
    return node - leaves


descending: Callable[[Array, int], Array] = _compiled(_descending)
mark: Callable[[NDArray[np.bool_], int], None] = _compiled(_mark)
unmark: Callable[[NDArray[np.bool_], int], None] = _compiled(_unmark)
tightest: Callable[[NDArray[np.bool_], int], int] = _compiled(_tightest)


def _pack(lengths: Array, capacity: int) -> tuple[Array, Array]:
    """(order, starts) of `Packs`; every length is from 1 to `capacity`."""
    order = descending(lengths, capacity)
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    tree = np.zeros(2 * leaves, np.bool_)
    newest = np.full(capacity + 1, -1, np.int64)  # by room: the pack that was filled last
    older = np.empty(len(lengths), np.int64)  # by pack: the one of equal room that was filled before
    pack_of = np.empty(len(lengths), np.int64)  # by place in `order`
    packs = 0
    for place in range(len(order)):
        length = lengths[order[place]]
        room = tightest(tree, length)
        if room < 0:
            room, chosen = capacity, packs
            packs += 1
        else:
            chosen = int(newest[room])
            newest[room] = older[chosen]
            if newest[room] < 0:
                unmark(tree, room)
        pack_of[place] = chosen
        left = room - length
        if left:
            older[chosen] = newest[left]
            newest[left] = chosen
            mark(tree, left)
    starts = np.zeros(packs + 1, np.int64)
    for place in range(len(order)):
        starts[pack_of[place] + 1] += 1
    starts = np.cumsum(starts)
    following = starts.copy()
    grouped = np.empty(len(lengths), np.int64)
    for place in range(len(order)):
        grouped[following[pack_of[place]]] = order[place]
        following[pack_of[place]] += 1
    return grouped, starts


pack: Callable[[Array, int], tuple[Array, Array]] = _compiled(_pack)
