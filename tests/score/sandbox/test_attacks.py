"""No program reaches anything outside, stays after its time, or keeps the next one from being run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prism.score.sandbox import ForkServer, Outcome, Pool
from prism.score.sandbox.inside import values

from .attacks import ATTACKS
from .world import SECRET, World, servers_and_programs

SECONDS, MEMORY = 1.0, 1 << 29
HARMLESS = "def attack(world):\n    import math, collections\n    return math.comb(10, 3) + len(world)\n"
WORK_BARE = """tcp, udp, unix sockets, datagram through a pair of sockets, files read, files written, links,
rights and owners changed, other processes looked at, memory bomb in files without names, signal by file owner,
process group of its own, kill the parent"""
"""Attacks on the world that work without a sandbox."""
AS_NOBODY = """
import array, contextlib, ctypes, encodings.idna, fcntl, glob, os, shutil, signal, socket, sys
if os.getuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
"""


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    for parent in folder.parents:
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    world = World(folder)
    yield world
    world.close()


def run(pool: Pool, program: str, world: Any, seconds: float = SECONDS) -> tuple[Outcome, Any]:
    """The outcome, and what `attack` returned: None where it didn't."""
    request = {"role": "call", "program": program, "name": "attack", "inputs": values.dumps([[world]])}

    def job(server: ForkServer) -> Outcome:
        return server.run(request, seconds, MEMORY)

    (outcome,) = pool.run_all([job])
    assert outcome is not None, "the fork server died"
    try:
        answer = json.loads(outcome.output or b"")
        return outcome, values.loads(answer[0]) if answer[0] else None
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return outcome, None


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_changes_and_learns_nothing(name: str, pool: Pool, world: World) -> None:
    assert run(pool, HARMLESS, [1])[1] == 121
    before = servers_and_programs()
    servers = set(pool.server_process_ids())
    assert servers <= before
    began = time.monotonic()
    outcome, reached = run(pool, ATTACKS[name], world.as_seen_from_within(sorted(servers)))
    assert time.monotonic() - began < 2 * SECONDS + 10, "it outlived its time"
    assert not reached
    assert SECRET.encode() not in (outcome.output or b"")
    assert world.changes() == []
    assert set(pool.server_process_ids()) == servers, "a fork server died"
    assert servers_and_programs() == before, "something outlived the program"
    assert run(pool, HARMLESS, [1])[1] == 121


@pytest.mark.parametrize("name", [name.strip() for name in WORK_BARE.replace("\n", " ").split(",")])
def test_the_attack_works_where_nothing_contains_it(name: str, world: World) -> None:
    """So it is the sandbox that stops it. As nobody, and on the world's own processes alone."""
    seen = world.as_seen_from_within([])
    seen["pids"] = [world.others[-1].pid]
    program = f"{AS_NOBODY}{ATTACKS[name]}\nprint(bool(attack({seen!r})))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=world.folder, timeout=60
    )
    assert result.stdout.strip() == "True", result.stderr


SETS_STATE = """
def attack(world):
    import builtins, json, os, sys, random, math
    open("left", "w").write("x") if os.access(".", os.W_OK) else None
    os.environ["LEFT"] = "x"
    builtins.len = lambda value: 42
    builtins.left = json.dumps = json.loads = lambda *a, **k: "x"
    math.comb = None
    sys.modules["left"] = sys
    random.seed(7)
    sys.setrecursionlimit(77)
    os.umask(0o777)
    return 1
"""
SEES_STATE = """
def attack(world):
    import builtins, json, os, sys, random, math
    found = [name for name in ("left",) if os.path.exists(name) or hasattr(builtins, name) or name in sys.modules]
    first = random.random()
    random.seed(0)
    return found or "LEFT" in os.environ or len([1]) != 1 or json.dumps([1]) != "[1]" or math.comb is None or (
        first != random.random()) or sys.getrecursionlimit() == 77 or os.umask(0) == 0o777
"""


def test_a_run_leaves_nothing_for_the_next(tier: str) -> None:
    pool = Pool(tier, 1)
    assert run(pool, SEES_STATE, {})[1] is False
    run(pool, SETS_STATE, {})
    assert run(pool, SEES_STATE, {})[1] is False
    pool.close()


FINDS_OTHERS = """
def attack(world):
    import ctypes, gc, sys
    needle = "".join(["needle", "-of-", "another"])
    found = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple)) and needle in repr(o)[:100000]]
    frame = sys._getframe()
    while frame:
        mine = ("needle", "frame", "found")
        found += [n for n, v in frame.f_locals.items() if n not in mine and needle in repr(v)[:10000]]
        frame = frame.f_back
    return len(found)
"""


def test_a_program_finds_no_other_in_the_memory_that_it_inherits(tier: str) -> None:
    pool = Pool(tier, 1)
    for number in range(20):
        run(pool, f"def attack(world): return 'needle-of-another {number}'", {})
    assert run(pool, FINDS_OTHERS, {})[1] == 0
    pool.close()
