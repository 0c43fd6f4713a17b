"""Tasks as actors of Ray."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datatrove.executor import RayPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from data_prep.errors import UsageError
from data_prep.executor.failure import task_failure
from data_prep.executor.options import read_options

_ANSWERS_WITHIN_S = 10.0


def run_on_ray(
    pipeline: Sequence[PipelineStep], tasks: int, workers: int | None, folder: Path, given: Mapping[str, str]
) -> None:
    """Runs the tasks that are left, `workers` at a time; the folders are shared by all of Ray's machines.

    Raises:
        DataError: a task failed.
        UsageError: Ray isn't installed or doesn't answer.
    """
    options, _ = read_options("ray", given)
    _connect(str(options.pop("address")))
    logger.disable("datatrove")  # here; the tasks' logs are complete
    executor = _Tasks(
        list(pipeline),
        tasks=tasks,
        workers=workers or -1,
        logging_dir=str(folder.resolve()),
        **{**options, "time": options["time"] or None},
    )
    with _ended_by_interrupt():
        executor.run()
    if left := executor.get_incomplete_ranks():
        raise task_failure(folder, left, tasks)


class _Tasks(RayPipelineExecutor):  # type: ignore[misc]
    """Tasks in the command's directory, so that relative paths mean the same."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.directory = str(Path.cwd())

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        os.chdir(self.directory)
        before = tempfile.gettempdir()
        # datatrove writes the log to a folder of a fixed name there, which other users and runs would share
        with tempfile.TemporaryDirectory(prefix="prism-data-") as scratch:
            tempfile.tempdir = scratch
            try:
                return super()._run_for_rank(rank, local_rank, node_rank)
            finally:
                tempfile.tempdir = before


@contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """While it lasts, Ctrl-C ends this process at once, and Ray ends the tasks of a process that is gone.

    datatrove would clean up, and wait for ever for tasks that have no place yet.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _connect(address: str) -> None:
    try:
        import ray
    except ImportError:
        raise UsageError(
            "Ray isn't installed", place="--executor ray", remedy="pip install 'prism-megatron[ray]'"
        ) from None
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to Ray's makers unasked
    host, colon, port = address.rpartition(":")
    try:
        if colon and port.isdecimal() and "/" not in host:
            socket.create_connection((host, int(port)), _ANSWERS_WITHIN_S).close()  # Ray itself tries for minutes
        ray.init(address=address or None, log_to_driver=False, logging_level="error")
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"Ray doesn't answer ({problem})", place="--executor ray", remedy="see `ray status`, or correct the address"
        ) from None
