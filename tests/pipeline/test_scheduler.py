"""Which task starts when."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prism.pipeline.scheduler import Task, critical_path, run_tasks


class Ended:
    """A worker that ends at its second poll, so that others can start beside it."""

    def __init__(self, code: int) -> None:
        self._code, self._polls = code, 0

    def poll(self) -> int | None:
        self._polls += 1
        return self._code if self._polls > 1 else None

    def stop(self) -> None:
        pass


class Recorder:
    """Notes who runs beside whom."""

    def __init__(self, codes: Mapping[str, int] | None = None, skip: str = "") -> None:
        self.codes, self.skip = codes or {}, skip
        self.started: list[str] = []
        self.beside: set[frozenset[str]] = set()

    def begin(self, name: str) -> Ended | None:
        if name == self.skip:
            return None
        self.started.append(name)
        return Ended(self.codes.get(name, 0))

    def end(self, name: str, code: int, seconds: float) -> int:
        return code

    def watch(self, running: Mapping[str, float]) -> None:
        self.beside.add(frozenset(running))


def test_a_task_waits_for_its_needs_and_the_longest_way_goes_first() -> None:
    work = Recorder()
    run_tasks([Task("last", ("first",)), Task("short"), Task("first", priority=2)], work, workers=1)
    assert work.started == ["first", "last", "short"]


def test_a_task_of_two_slots_runs_alone_on_two_workers() -> None:
    work = Recorder()
    run_tasks([Task("wide", priority=1, slots=2), Task("a"), Task("b")], work, workers=2)
    assert frozenset({"wide"}) in work.beside
    assert frozenset({"a", "b"}) in work.beside
    assert not any("wide" in group and len(group) > 1 for group in work.beside)


def test_after_a_failure_nothing_new_starts() -> None:
    outcome = run_tasks([Task("bad", priority=1), Task("after", ("bad",))], Recorder({"bad": 4}), workers=1)
    assert (outcome.exit_code, outcome.not_run) == (4, ("after",))


def test_what_is_skipped_counts_as_done() -> None:
    work = Recorder(skip="data")
    outcome = run_tasks([Task("data"), Task("base", ("data",))], work, workers=1)
    assert (outcome.exit_code, work.started) == (0, ["base"])


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([Task("a", ("b",))], "isn't among the tasks"),
        ([Task("a", ("b",)), Task("b", ("a",))], "in a circle"),
        ([Task("a", slots=3)], "3 slots of 2"),
    ],
)
def test_tasks_that_can_never_run_are_refused(tasks: list[Task], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_tasks(tasks, Recorder(), workers=2)


def test_the_critical_path_adds_up_costs_to_the_end() -> None:
    costs = {"data": 1.0, "base": 10.0, "report": 1.0}
    needs: dict[str, tuple[str, ...]] = {"data": (), "base": ("data",), "report": ("base", "data")}
    assert critical_path(needs, costs.__getitem__) == {"data": 12.0, "base": 11.0, "report": 1.0}


class Leaving(Ended):
    """A worker that runs until it is asked to leave."""

    def __init__(self) -> None:
        super().__init__(-15)
        self.asked = False

    def poll(self) -> int | None:
        return -15 if self.asked else None

    def ask_to_leave(self) -> None:
        self.asked = True


def test_a_run_that_is_asked_to_leave_asks_its_workers_and_starts_nothing_new() -> None:
    class Long(Recorder):
        def begin(self, name: str) -> Ended | None:
            super().begin(name)
            return Leaving()

    work = Long()
    outcome = run_tasks([Task("long", priority=1), Task("after")], work, 1, leave=lambda: bool(work.started))
    assert outcome.asked_to_leave
    assert (dict(outcome.failed), outcome.not_run) == ({"long": 85}, ("after",))
