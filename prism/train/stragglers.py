"""Ranks that hold up the others.

All ranks of a step end together, so its time says nothing about one of them. What is compared is what a rank does
alone: its wait for data, and a fixed computation on its device.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from prism.megatron.backend import backend

_SIZE = {"cpu": 128, "cuda": 2_048}
_TURNS = 5
_LEAST_WAIT_S = 0.01
"""Waits below it are nobody's fault."""


@dataclass(frozen=True)
class RankPace:
    """Seconds of one rank: of the fixed computation, and of a step's wait for data."""

    compute: float
    wait: float


class Stragglers:
    """Compares ranks every `every` steps (None: never); one that is slow at two looks in a row is named."""

    def __init__(self, every: int | None, factor: float) -> None:
        self._every = every
        self._factor = factor
        self._waited = 0.0
        self._suspects: set[tuple[int, str]] = set()
        self._hosts: list[str] | None = None

    def after_step(self, step: int, timing: Mapping[str, Any]) -> list[str]:
        """What there is to say, the same on every rank. Collective at every `every`-th step."""
        if self._every is None or dist.get_world_size() == 1:
            return []
        self._waited += (timing.get("data_wait") or 0.0) * (timing.get("seconds") or 0.0)
        if step % self._every:
            return []
        own = RankPace(compute_seconds(), self._waited / self._every)
        self._waited = 0.0
        found = slow_ranks(_gather(own), self._factor)
        named = {key: text for key, text in found.items() if key in self._suspects}
        self._suspects = set(found)
        if self._hosts is None:
            self._hosts = _gather_hosts()
        return [f"rank {rank} ({self._hosts[rank]}) {text}" for (rank, _), text in named.items()]


def slow_ranks(paces: Sequence[RankPace], factor: float) -> dict[tuple[int, str], str]:
    """(rank, what it is slow at) -> in words; of those `factor` times slower than the median rank."""
    found = {}
    compute = statistics.median_low(pace.compute for pace in paces)
    wait = max(_LEAST_WAIT_S, statistics.median_low(pace.wait for pace in paces))
    for rank, pace in enumerate(paces):
        if pace.compute >= factor * compute:
            found[rank, "compute"] = f"computes {pace.compute / compute:.1f} times slower than the median rank"
        if pace.wait >= factor * wait:
            found[rank, "data"] = f"waits {pace.wait:.2f} s a step for data, the median rank {wait:.2f} s"
    return found


def compute_seconds() -> float:
    """Seconds that a fixed matrix product takes here, the best of a few turns."""
    device = backend().device
    matrix = torch.ones(_SIZE[device.type], _SIZE[device.type], device=device)
    best = float("inf")
    for _turn in range(_TURNS):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return best


def _gather(own: RankPace) -> list[RankPace]:
    mine = torch.tensor([own.compute, own.wait], dtype=torch.float64, device=backend().device)
    every = torch.zeros(dist.get_world_size(), 2, dtype=torch.float64, device=mine.device)
    dist.all_gather_into_tensor(every, mine[None])
    return [RankPace(compute, wait) for compute, wait in every.tolist()]


def _gather_hosts() -> list[str]:
    hosts: list[str] = [""] * dist.get_world_size()
    dist.all_gather_object(hosts, socket.gethostname())
    return hosts
