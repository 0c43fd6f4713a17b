"""Work in threads that stops at the first error, with torch's own threads out of the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock
from typing import TypeVar

import torch

Item = TypeVar("Item")


def in_threads(work: Callable[[Item], None], items: Iterable[Item], workers: int) -> None:
    """Calls `work` for every item, begun in order; after the first error nothing is begun any more."""
    left, lock, stopped = iter(items), Lock(), Event()
    nothing = object()

    def loop() -> None:
        while not stopped.is_set():
            with lock:
                item = next(left, nothing)
            if item is nothing:
                return
            try:
                work(item)  # type: ignore[arg-type]  # not `nothing`
            except BaseException:
                stopped.set()
                raise

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in [pool.submit(loop) for _ in range(workers)]:
                future.result()
        finally:
            stopped.set()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Blocks go to threads of ours; torch's own would get in their way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
