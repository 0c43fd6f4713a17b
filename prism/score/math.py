"""Math answers: compared by their form, exactly; what is left are plain expressions, which math-verify compares in
worker processes that can be killed.

An answer has a deadline. It is wrong when it isn't judged by then, so that no response can hold a step up.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from prism.score.math_form import DEEPEST, Pairs, compare, read_form
from prism.score.math_text import LONGEST, deepest, final_answer
from prism.score.verdict import PromptRow
from prism.score.workers import WorkerPool

DEADLINE_S = 5.0
"""Seconds, from when a worker takes the answer. Ordinary ones take 5 ms."""

_GRACE_S = 0.4
_REMEMBERED = 65_536
_SUBSCRIPT = re.compile(r"_\s*(\{[^{}]*\}|.)")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TOWER = re.compile(r"\^\s*\{[^{}]*\^\s*\{[^{}]*\^|(?:\^\s*\{?\w{1,9}\}?\s*){3}")


def verify_math(rows: Sequence[PromptRow], answers: Sequence[str], *, deadline_s: float = DEADLINE_S) -> list[bool]:
    """Right when the last boxed expression of the answer, or what follows `####`, equals the row's `answer`.

    Args:
        deadline_s: seconds for each answer that needs math-verify. They are judged side by side, as many at once as
            there are workers.

    Raises:
        PrismError: math-verify can't be started.
    """
    pairs = [(str(row["answer"]), answer) for row, answer in zip(rows, answers, strict=True)]
    return equal_all(pairs, deadline_s=deadline_s)


def equal(gold: str, answer: str, *, deadline_s: float = DEADLINE_S) -> bool:
    """See `verify_math`."""
    return equal_all([(gold, answer)], deadline_s=deadline_s)[0]


def equal_all(pairs: Sequence[tuple[str, str]], *, deadline_s: float = DEADLINE_S) -> list[bool]:
    """See `verify_math`."""
    finals = [(final_answer(gold), final_answer(answer)) for gold, answer in pairs]
    left = {final: _left_to_show(*final) for final in dict.fromkeys(finals)}
    shown = _show(dict.fromkeys(pairs for pairs in left.values() if pairs), deadline_s)
    return [shown[found] if (found := left[final]) else found is not None for final in finals]


def _left_to_show(gold: str, answer: str) -> Pairs | None:
    """Expressions that math-verify must find equal; None when the answer is wrong already."""
    if not answer or gold == answer:
        return () if answer else None
    if len(answer) > LONGEST or len(gold) > LONGEST:
        return None
    pairs = compare(_form(gold), read_form(answer))
    return None if pairs is None or any(_refused(*pair) for pair in pairs) else pairs


_form = lru_cache(maxsize=4096)(read_form)


def _refused(gold: str, answer: str) -> bool:
    """Subscripts and the case of letters must be the same; towers of powers and deep nests aren't tried."""
    return (
        deepest(answer) > DEEPEST
        or bool(_TOWER.search(answer))
        or Counter(_SUBSCRIPT.findall(answer)) != Counter(_SUBSCRIPT.findall(gold))
        or "\\text" in answer
        or _other_case(gold, answer)
    )


def _other_case(gold: str, answer: str) -> bool:
    """The answer has a letter that the gold answer has in the other case alone: R isn't r."""
    ours, theirs = (set(_COMMAND.sub("", text)) for text in (gold, answer))
    return any(letter.swapcase() in ours and letter not in ours for letter in theirs if letter.isalpha())


def _show(wanted: Mapping[Pairs, None], deadline_s: float) -> dict[Pairs, bool]:
    with _memory.lock:
        shown = {pairs: _memory.known[pairs] for pairs in wanted if pairs in _memory.known}
        pool = _pool()
    new = [pairs for pairs in wanted if pairs not in shown]
    replies = pool.ask_all(
        [{"pairs": pairs, "seconds": deadline_s} for pairs in new], [deadline_s + _GRACE_S] * len(new)
    )
    shown.update((pairs, reply is True) for pairs, reply in zip(new, replies, strict=True))
    with _memory.lock:
        # What wasn't judged in time isn't remembered: the machine may have been busy.
        _memory.known.update((pairs, reply) for pairs, reply in zip(new, replies, strict=True) if reply is not None)
        while len(_memory.known) > _REMEMBERED:
            del _memory.known[next(iter(_memory.known))]
    return shown


class _Memory:
    """What math-verify said: responses of a group often have the same answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[Pairs, bool] = {}


_memory = _Memory()


@lru_cache(maxsize=1)
def _pool() -> WorkerPool:
    return WorkerPool(
        [sys.executable, "-P", "-s", str(Path(__file__).with_name("math_child.py"))],
        # A fixed hash seed: sympy's choices may follow the order of sets.
        environment={"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        remedy="install math-verify: pip install 'prism-megatron[engine]'",
    )
