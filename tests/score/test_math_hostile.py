"""No answer holds the math verifier up, crashes it, or breaks it for the next.

`make test` tries a thousand answers; PRISM_TEST_FULL=1 tries ten thousand.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from prism.score.math import _pool, equal, equal_all
from tests.score.hostile import hostile_answers

COUNT = 10_000 if os.environ.get("PRISM_TEST_FULL") == "1" else 1_000
DEADLINE_S = 0.75
SLACK_S = 0.5
GOLDS = ["3", "\\frac{1}{2}", "(1,2)", "x^2+1", "\\sqrt{51}"]


def test_no_answer_takes_longer_than_its_deadline_and_the_pool_lives_on() -> None:
    equal("\\sqrt{8}", "2\\sqrt{2}")  # the workers' start isn't on an answer's clock
    late = []
    for number, answer in enumerate(hostile_answers(COUNT, seed=1)):
        gold = GOLDS[number % len(GOLDS)]
        # A busy machine makes any answer late now and then, and none always.
        if all(_seconds(gold, answer) > DEADLINE_S + SLACK_S for _ in range(3)):
            late.append(answer[:200])
    assert late == []
    assert equal("\\sqrt{12}", "2\\sqrt{3}") and not equal("\\sqrt{12}", "3\\sqrt{2}")


def _seconds(gold: str, answer: str) -> float:
    start = time.monotonic()
    equal(gold, answer, deadline_s=DEADLINE_S)
    return time.monotonic() - start


@pytest.mark.parametrize("stopped", ["the fork that computes", "the worker itself"])
def test_a_comparison_that_stands_still_is_killed_at_its_deadline(stopped: str) -> None:
    """It takes no CPU time, so that only a clock can end it."""
    assert equal("\\sqrt{28}", "2\\sqrt{7}")
    worker = next(worker for worker in reversed(_pool()._idle) if worker._process is not None)
    process = psutil.Process(worker._process.pid)
    fork = next(child for child in process.children() if child.status() != psutil.STATUS_ZOMBIE)
    (fork if stopped == "the fork that computes" else process).suspend()
    start = time.monotonic()
    assert not equal("\\sqrt{44}", f"2\\sqrt{{11}}+0\\cdot{len(stopped)}", deadline_s=DEADLINE_S)
    assert DEADLINE_S <= time.monotonic() - start <= DEADLINE_S + SLACK_S
    assert equal("\\sqrt{52}", "2\\sqrt{13}")


def test_a_hanging_answer_costs_a_fork_and_not_the_worker() -> None:
    assert equal("\\sqrt{60}", "2\\sqrt{15}")
    workers = [worker._process.pid for worker in _pool()._workers if worker._process is not None]
    for number in range(3):
        assert not equal("3", f"9^{{9^{{9}}}}+1{number}", deadline_s=DEADLINE_S)
    assert [pid for pid in workers if not psutil.pid_exists(pid)] == []
    zombies = [
        child for pid in workers for child in psutil.Process(pid).children() if child.status() == psutil.STATUS_ZOMBIE
    ]
    assert len(zombies) <= len(workers)


def test_answers_of_several_threads_are_judged_side_by_side() -> None:
    pairs = [[(f"\\sqrt{{{4 * n + t}}}", f"\\sqrt{{{4 * n + t}}}+{n % 2}-0") for n in range(2, 8)] for t in range(6)]
    with ThreadPoolExecutor(6) as threads:
        judged = list(threads.map(equal_all, pairs))
    assert judged == [[n % 2 == 0 for n in range(2, 8)]] * 6


def test_a_worker_that_was_killed_is_replaced() -> None:
    assert equal("\\sqrt{20}", "2\\sqrt{5}")
    for worker in _pool()._workers:
        if worker._process is not None:
            worker._process.kill()
    assert equal_all([(f"\\sqrt{{{4 * number}}}", f"2\\sqrt{{{number}}}") for number in (6, 7, 10)]) == [True] * 3


def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """In the middle of a comparison that would never end, too."""
    program = (
        "import threading, time\n"
        "from prism.score.math import equal, _pool\n"
        "assert equal('\\\\sqrt{8}', '2\\\\sqrt{2}')\n"
        "threading.Thread(target=equal, args=('3', '9^{9^9}'), kwargs={'deadline_s': 600.0}, daemon=True).start()\n"
        "time.sleep(1.0)\n"
        "print('hanging', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "hanging\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2  # a worker, and the fork of it that computes
        parent.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == [] and len(gone) == len(children)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_doesnt_turn_a_right_answer_wrong(number: signal.Signals) -> None:
    assert equal("\\sqrt{24}", "2\\sqrt{6}")
    for worker in _pool()._workers:
        if worker._process is not None:
            worker._process.send_signal(number)
    assert equal(f"\\sqrt{{{4 * 13 * number}}}", f"2\\sqrt{{{13 * number}}}")
    assert any(worker._process is not None and worker._process.poll() is None for worker in _pool()._workers)
