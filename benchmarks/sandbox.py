"""Programs a second in the sandbox, against a bare Python process a program, and what judging costs a step of RL."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _harness import Ratio, median_seconds, quick, report

from prism.errors import PrismError
from prism.score import code, sandbox
from prism.score.sandbox.inside import values

PROGRAM = "def f(x):\n    return sorted(x)[::-1]\n"
CASES = [[[list(range(n))], list(range(n))[::-1]] for n in range(8)]
STEP_SECONDS, RESPONSES = 1.5, 256
"""Of the miniature's RL step, which may spend a twentieth on verifiers."""


def main() -> None:
    programs, rounds = (24, 1) if quick() else (300, 5)
    tiers = {tier: pool for tier in ("namespaces", "landlock") if (pool := pool_of(tier)) is not None}

    def contained(pool: sandbox.Pool) -> Callable[[], object]:
        request = {"role": "call", "program": PROGRAM, "name": "f", "inputs": values.dumps([case[0] for case in CASES])}

        def run(server: sandbox.ForkServer) -> None:
            outcome = server.run(request, 2.0, 1 << 29)
            assert outcome.codes == (0,) and outcome.output

        return lambda: pool.run_all([run] * programs)

    contenders: dict[str, Callable[[], object]] = {tier: contained(pool) for tier, pool in tiers.items()}
    contenders["bare"] = lambda: bare(programs)
    seconds = median_seconds({**contenders, "expressions": expressions}, rounds)
    speed = {name: programs / value for name, value in seconds.items() if name != "expressions"}
    ratios = {
        "expressions_of_a_step_over_a_twentieth": Ratio(seconds["expressions"] / (STEP_SECONDS / 20), 1.0, "at_most")
    }
    for tier in tiers:
        ratios[f"{tier}_over_300_a_second"] = Ratio(speed[tier] / 300, 1.0)
        ratios[f"{tier}_over_bare_python"] = Ratio(speed[tier] / speed["bare"], 1.0)
    figures = {f"{name} programs/s": value for name, value in speed.items()}
    for name, contender in contenders.items():
        before = processor_seconds(tiers.get(name))
        contender()
        figures[f"{name} CPU ms a program"] = (processor_seconds(tiers.get(name)) - before) / programs * 1000
    report("sandbox", ratios, figures | {"256 new expressions s": seconds["expressions"]})


def pool_of(tier: str) -> sandbox.Pool | None:
    """None where the tier doesn't work on this machine."""
    sandbox.configure(tier)
    try:
        return sandbox.pool()
    except PrismError:
        return None
    finally:
        sandbox.configure()


def processor_seconds(pool: sandbox.Pool | None) -> float:
    """Used so far by this process, its children that have ended, and a pool's servers with their programs.

    A busy machine hardly changes it, unlike programs a second.
    """
    ticks = 0
    for server in pool.server_process_ids() if pool else ():
        fields = Path(f"/proc/{server}/stat").read_text().rpartition(") ")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return (
        time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) + ticks / os.sysconf("SC_CLK_TCK")
    )


def bare(programs: int) -> None:
    """A process a program, two at a time, with nothing to contain it."""
    source = f"{PROGRAM}import json, sys\nprint(json.dumps([f(*case) for case in {[case[0] for case in CASES]!r}]))"
    command = [sys.executable, "-I", "-S", "-c", source]
    with ThreadPoolExecutor(2) as threads:
        for result in threads.map(lambda _: subprocess.run(command, capture_output=True, check=True), range(programs)):
            assert result.stdout


def expressions() -> None:
    """A step's responses, all different and none remembered."""
    code._remembered().clear()
    verifier = {"kind": "code", "test": "expression", "variable": "x", "modulus": 5}
    verifier["cases"] = [[x, 3 * x + 4] for x in range(5)]
    choices = random.Random(random.random())
    words = ["x", "3", "+", "*", "(", ")", "-", "7"]
    answers = [" ".join(choices.choices(words, k=choices.randint(1, 12))) for _ in range(RESPONSES)]
    code.verify_code([{"prompt": "?", "verifier": verifier}] * RESPONSES, answers)


if __name__ == "__main__":
    main()
