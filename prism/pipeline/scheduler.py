"""Runs the tasks of a graph side by side, each in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prism.errors import Requeue
from prism.launch import Worker

_POLL_S = 0.05


@dataclass(frozen=True)
class Task:
    """A task is ready when all of `needs` are done; of the ready ones the highest priority starts first.

    `slots`: how many of the workers it takes while it runs.
    """

    name: str
    needs: tuple[str, ...] = ()
    priority: float = 0.0
    slots: int = 1


class Work(Protocol):
    """What the scheduler asks for; all calls come from one thread, one at a time."""

    def begin(self, name: str) -> Worker | None:
        """Starts the task, or returns None when there is nothing to do."""

    def end(self, name: str, code: int, seconds: float) -> int:
        """Takes note of a task that ended with `code`; returns the code that counts."""

    def watch(self, running: Mapping[str, float]) -> None:
        """Called several times a second with the seconds that each running task has run."""


@dataclass(frozen=True)
class Outcome:
    """`failed` holds exit codes in the order of failure; `not_run` what could not start because of them.

    `asked_to_leave`: the run was asked to before its end.
    """

    failed: Mapping[str, int]
    not_run: tuple[str, ...]
    asked_to_leave: bool = False

    @property
    def exit_code(self) -> int:
        """0, or the code of the first task that failed."""
        return next(iter(self.failed.values()), 0)


@dataclass
class _Running:
    worker: Worker
    began: float
    slots: int


def run_tasks(tasks: Sequence[Task], work: Work, workers: int, leave: Callable[[], bool] = lambda: False) -> Outcome:
    """Runs every task, at most `workers` slots at once. After a failure nothing new starts; what runs may end.

    A ready task that needs more slots than are free waits, and those of lower priority wait behind it.

    When `leave` says so, what runs is asked to save itself and to leave, and nothing new starts.

    An exception (Ctrl-C, or one that `work` raises) stops what runs before it goes on its way.

    Raises:
        ValueError: a task needs one that doesn't exist, or more slots than there are workers, or the tasks need
            each other in a circle.
    """
    waiting = {task.name: task for task in _checked(tasks, workers)}
    running: dict[str, _Running] = {}
    done: set[str] = set()
    failed: dict[str, int] = {}
    asked = False
    try:
        while running or (waiting and not failed and not asked):
            if not asked and leave():
                asked = True
                for entry in running.values():
                    entry.worker.ask_to_leave()
            while not failed and not asked and (task := _next(waiting, done)) is not None:
                if task.slots > workers - sum(entry.slots for entry in running.values()):
                    break
                del waiting[task.name]
                worker = work.begin(task.name)
                if worker is None:
                    done.add(task.name)
                else:
                    running[task.name] = _Running(worker, time.monotonic(), task.slots)
            for name, code, seconds in _ended(running):
                code = work.end(name, Requeue.exit_code if asked and code else code, seconds)
                if code == 0:
                    done.add(name)
                else:
                    failed[name] = code
            now = time.monotonic()
            work.watch({name: now - entry.began for name, entry in running.items()})
            if running:
                time.sleep(_POLL_S)
    finally:
        for entry in running.values():
            entry.worker.stop()
    return Outcome(failed, tuple(waiting), asked)


def critical_path(tasks: Mapping[str, tuple[str, ...]], cost: Callable[[str], float]) -> dict[str, float]:
    """For each task (name -> needs) the cost of the longest way from it to the end: a good priority."""
    followers: dict[str, list[str]] = {name: [] for name in tasks}
    for name, needs in tasks.items():
        for need in needs:
            followers[need].append(name)
    found: dict[str, float] = {}

    def length(name: str) -> float:
        if name not in found:
            found[name] = cost(name) + max((length(follower) for follower in followers[name]), default=0.0)
        return found[name]

    return {name: length(name) for name in tasks}


def _next(waiting: Mapping[str, Task], done: set[str]) -> Task | None:
    ready = [task for task in waiting.values() if done.issuperset(task.needs)]
    return max(ready, key=lambda task: task.priority, default=None)


def _ended(running: dict[str, _Running]) -> list[tuple[str, int, float]]:
    """Takes the tasks that ended out of `running`."""
    ended = []
    for name, entry in list(running.items()):
        code = entry.worker.poll()
        if code is not None:
            del running[name]
            ended.append((name, code, time.monotonic() - entry.began))
    return ended


def _checked(tasks: Sequence[Task], workers: int) -> Sequence[Task]:
    names = {task.name for task in tasks}
    for task in tasks:
        if task.slots > workers:
            raise ValueError(f"task {task.name} takes {task.slots} slots of {workers}")
        missing = [need for need in task.needs if need not in names]
        if missing:
            raise ValueError(f"task {task.name} needs {', '.join(missing)}, which isn't among the tasks")
    done: set[str] = set()
    left = list(tasks)
    while left:
        ready = [task for task in left if done.issuperset(task.needs)]
        if not ready:
            raise ValueError(f"tasks need each other in a circle: {', '.join(task.name for task in left)}")
        done.update(task.name for task in ready)
        left = [task for task in left if task.name not in done]
    return tasks
