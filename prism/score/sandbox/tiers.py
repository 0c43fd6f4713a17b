"""Which tier contains programs in this process: what the recipe wants, what works here, and why."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from prism.errors import PrismError
from prism.score.sandbox.pool import Pool
from prism.score.sandbox.probe import what_fails
from prism.score.sandbox.server import Refused

log = logging.getLogger("prism.sandbox")

Tier = Literal["namespaces", "landlock", "none"]


@dataclass(frozen=True)
class SandboxState:
    """What contains model-written programs.

    Args:
        tier: "none" is limits on time, memory and processes alone.
        reason: why this one, in words.
        failures: tiers that don't work here, and why.
    """

    tier: Tier
    reason: str
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wish:
    tier: str = "auto"
    allow_unsandboxed: bool = False


_wish = _Wish()
_lock = threading.Lock()


def configure(tier: str = "auto", allow_unsandboxed: bool = False) -> None:
    """Says what a recipe wants (its `sandbox` section). Holds for the process."""
    global _wish
    _wish = _Wish(tier, allow_unsandboxed)


def describe() -> SandboxState:
    """The tier that is in use. Tries the tiers out at the first call, which takes a tenth of a second.

    Raises:
        PrismError: none of the wanted tiers works here, and `allow_unsandboxed` wasn't given.
    """
    return _in_use()[0]


def used() -> SandboxState | None:
    """The tier that programs of this process were run in; None where none was run."""
    return _chosen(_wish, os.getpid())[0] if _chosen.cache_info().currsize else None


def pool() -> Pool:
    """Where programs are run. A fork of this process gets its own.

    Raises:
        PrismError: as `describe`.
    """
    return _in_use()[1]


def _in_use() -> tuple[SandboxState, Pool]:
    with _lock:
        return _chosen(_wish, os.getpid())


@cache
def _chosen(wish: _Wish, process: int) -> tuple[SandboxState, Pool]:
    tiers: tuple[Tier, ...] = ("namespaces", "landlock")
    wanted = [tier for tier in tiers if wish.tier in ("auto", tier)]
    failures: dict[str, str] = {}
    for tier in wanted:
        candidate = Pool(tier)
        failure = _failure(candidate)
        if not failure:
            reason = "it works here" + "".join(f"; {name} doesn't ({why})" for name, why in failures.items())
            log.info("model-written programs are contained by %s: %s", tier, reason)
            return SandboxState(tier, reason, failures), candidate
        candidate.close()
        failures[tier] = failure
    said = "; ".join(f"{name}: {why}" for name, why in failures.items())
    if not wish.allow_unsandboxed:
        raise PrismError(
            f"model-written programs can't be contained here ({said})",
            place="the sandbox",
            remedy="allow user namespaces on this machine, or a kernel with Landlock (Linux 5.13); "
            "or accept limits on time and memory alone with sandbox.allow_unsandboxed: true",
        )
    log.warning("model-written programs are NOT contained, as sandbox.allow_unsandboxed is set: %s", said)
    return SandboxState("none", f"sandbox.allow_unsandboxed is set, and no tier works here ({said})", failures), Pool(
        "limits"
    )


def _failure(candidate: Pool) -> str:
    try:
        (found,) = candidate.run_all([what_fails])
    except Refused as error:
        return str(error)
    return "the fork server died" if found is None else found
