"""A signal asks; the loop leaves at a step's end. Here a real process stands for the loop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

from prism.errors import Requeue
from prism.train.signals import ASKING, StopRequest


def loop(steps: Connection) -> None:
    """Trains until it is asked to leave."""
    with StopRequest() as stop:
        steps.send("step 1")
        while not stop.requested:
            time.sleep(0.01)
        steps.send(f"saved, as {stop.signal_name} asked")
    sys.exit(Requeue("saved", place="here", remedy="start again").exit_code)


def test_a_process_that_is_asked_saves_and_leaves_with_the_code_of_requeue() -> None:
    for number in ASKING:
        ours, theirs = Pipe()
        process = get_context("fork").Process(target=loop, args=(theirs,))
        process.start()
        assert ours.recv() == "step 1"
        assert process.pid is not None
        os.kill(process.pid, number)
        assert ours.recv() == f"saved, as {number.name} asked"
        process.join()
        assert process.exitcode == 85


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
