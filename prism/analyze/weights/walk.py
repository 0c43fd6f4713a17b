"""Goes through the tensors of several checkpoints side by side, a few blocks of rows in memory at a time.

Every tensor is read once, whatever is asked of it; its hash is taken on the way. A thread works on a tensor; there are
more threads than cores, so that some wait for the disk while others count.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prism.analyze.weights.answers import Answer, Asked, Described, Finished
from prism.analyze.weights.journal import Journal
from prism.analyze.weights.sources import Source
from prism.analyze.weights.tensor import Reader, bytes_of
from prism.errors import BadInput, PrismError
from prism.formats.threads import in_threads, one_thread_each

_MOST_THREADS = 8
_SHOWN = 3


@dataclass(frozen=True)
class Walked:
    """Answers in the order of names, what each source holds by name, and the bytes that had to be read."""

    answers: Sequence[Answer]
    described: Sequence[dict[str, Described]]
    read_bytes: int


def walk(
    sources: Sequence[Source],
    names: Sequence[str],
    asked: Asked,
    journal: Journal | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Walked:
    """Answers for all names; tensors that `journal` holds aren't read again.

    Args:
        progress: told the number of bytes that are done with, from any thread.

    Raises:
        BadInput: a file is damaged, or values aren't finite; all other tensors have been read by then.
    """
    found: dict[str, Finished] = {}
    broken: dict[str, PrismError] = {}
    reader, lock, read = Reader(sources, asked, progress), threading.Lock(), 0

    def one(name: str) -> None:
        nonlocal read
        key = [source.key(name) for source in sources]
        kept = journal.get(name, key) if journal is not None else None
        if kept is not None:
            found[name] = kept
            progress(bytes_of(sources, name))
            return
        try:
            done = reader.tensor(name)
        except PrismError as error:
            with lock:
                broken[name] = error
            return
        with lock:
            found[name] = done
            read += bytes_of(sources, name)
            if journal is not None:
                journal.put(name, key, done)

    largest_first = sorted(names, key=lambda name: -bytes_of(sources, name))
    with one_thread_each():
        in_threads(one, largest_first, min(_MOST_THREADS, 2 * len(os.sched_getaffinity(0))))
    if broken:
        raise _report(broken, journal)
    answers = [answer for name in names for answer in found[name].answers]
    described = [{name: found[name].described[index] for name in names} for index in range(len(sources))]
    return Walked(answers, described, read)


def _report(broken: dict[str, PrismError], journal: Journal | None) -> BadInput:
    """One error for all broken tensors: the first one's words, and the names of the others."""
    names = sorted(broken)
    first = broken[names[0]]
    others = names[1:]
    more = f"; broken too: {', '.join(others[:_SHOWN])}" if others else ""
    more += f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    kept = f"; the sound tensors are kept in {journal.path} and aren't read again" if journal is not None else ""
    return BadInput(f"{first.message}{more}", place=first.place, remedy=f"{first.remedy}{kept}")
