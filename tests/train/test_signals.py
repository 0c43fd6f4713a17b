"""A signal asks; the loop leaves at a step's end. Here a real process stands for the loop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from prism.train.signals import ASKING, StopRequest

LOOP = """
import sys, time
from prism.errors import Requeue
from prism.train.signals import StopRequest

with StopRequest() as stop:
    print("step 1", flush=True)
    while not stop.requested:
        time.sleep(0.01)
    print("saved, as", stop.signal_name, "asked", flush=True)
    error = Requeue("saved", place="here", remedy="start again")
sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("number", ASKING)
def test_a_process_that_is_asked_saves_and_leaves_with_the_code_of_requeue(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "step 1\n"
    process.send_signal(number)
    assert process.stdout.read() == f"saved, as {number.name} asked\n"
    assert process.wait() == 85


def test_the_first_signal_counts_and_earlier_handlers_come_back() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with StopRequest() as stop:
            assert not stop.requested
            assert stop.signal_name == "a signal to another rank"
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.requested
            assert stop.signal_name == "SIGUSR1"
            assert heard == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_outside_of_the_main_thread_nothing_is_installed() -> None:
    before = [signal.getsignal(number) for number in ASKING]
    found: list[object] = []

    def work() -> None:
        with StopRequest() as stop:
            found.extend(signal.getsignal(number) for number in ASKING)
            found.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [*before, False]
