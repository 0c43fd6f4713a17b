"""A step that is past its deadline ends the process and says which part was slow."""

from __future__ import annotations

import subprocess
import sys
import time

from prism.rl.clock import StepClock

SLOW = """
import logging, time
from prism.rl.clock import StepClock
logging.basicConfig(level=logging.INFO)
clock = StepClock(0.3 / 60)
with clock.step(12):
    with clock.part("rollout"):
        time.sleep(0.1)
    with clock.part("reward"):
        time.sleep(30)
"""


def test_a_step_past_its_deadline_ends_the_process_and_names_the_slow_part() -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == 1
    assert "step 12 took longer than 0.005 minutes; it is in: reward" in done.stderr
    assert "time.sleep(30)" in done.stderr or "<string>" in done.stderr
    assert "Remedy" in done.stderr
    assert time.monotonic() - began < 25


def test_a_step_in_time_leaves_nothing_behind() -> None:
    clock = StepClock(0.05 / 60)
    for number in range(3):
        with clock.step(number), clock.part("rollout"):
            pass
    time.sleep(0.15)
    assert set(clock.seconds()) == {"rollout_seconds"}


def test_parts_of_one_name_add_up_and_each_step_begins_anew() -> None:
    clock = StepClock(None)
    with clock.step(1):
        for _ in range(2):
            with clock.part("train"):
                time.sleep(0.02)
        assert clock.seconds()["train_seconds"] >= 0.04
    with clock.step(2):
        assert clock.seconds() == {}
