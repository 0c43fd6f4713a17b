"""Math answers: the same normal form, else math-verify in a worker that can be killed.

math-verify's own timeout needs the main thread and some inputs outrun it, so it runs without one, in a process that
the parent kills. Guards refuse what it is known to accept wrongly: answers with a subscript that the gold answer
lacks, a set for a tuple, several alternatives, and text that is long or deeply nested.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import re
import select
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from prism.score.verdict import PromptRow

_SECONDS = 3.0
_START_SECONDS = 30.0
_LONGEST = 300
_DEEPEST = 8
_BOXED = "\\boxed{"


def verify_math(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """Right when the answers are equal as text in normal form, or as mathematics."""
    return [equal(str(row["answer"]), answer) for row, answer in zip(rows, answers, strict=True)]


def equal(gold: str, answer: str) -> bool:
    gold, answer = final_answer(gold), final_answer(answer)
    if normal(gold) == normal(answer):
        return True
    if not answer or _refused(gold, answer):
        return False
    return _same(gold, answer)


@lru_cache(maxsize=65_536)
def _same(gold: str, answer: str) -> bool:
    return _worker().ask(gold, answer)


def final_answer(text: str) -> str:
    """The part that is judged: the last boxed expression, what follows the last ####, or all of it."""
    if _BOXED in text:
        return _balanced(text[text.rindex(_BOXED) + len(_BOXED) :])
    return text.rsplit("####", 1)[-1].strip()


def normal(text: str) -> str:
    """Without blanks, dollar signs, thousands separators, a final point and sizes that mean nothing."""
    text = re.sub(r"\\left|\\right|\\!|\\,|\\;|\\ |\$|\s", "", text).replace("dfrac", "frac").replace("tfrac", "frac")
    text = re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", text)
    return text.rstrip(".")


def _balanced(text: str) -> str:
    depth = 1
    for index, sign in enumerate(text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0:
            return text[:index]
    return text


def _refused(gold: str, answer: str) -> bool:
    depth = deepest = 0
    for sign in answer:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return (
        len(answer) > _LONGEST
        or deepest > _DEEPEST
        or ("_" in answer) != ("_" in gold)
        or ("\\{" in answer) != ("\\{" in gold)
        or answer.startswith("{") != gold.startswith("{")
        or (" or " in answer) != (" or " in gold)
        or (answer.count(",") != gold.count(","))
        or _reordered(gold, answer)
        or answer.count("^") > 3
    )


def _reordered(gold: str, answer: str) -> bool:
    """The same elements in another order: math-verify takes a list for a set."""
    ours, theirs = normal(gold).split(","), normal(answer).split(",")
    return ours != theirs and sorted(ours) == sorted(theirs)


class _Worker:
    """One math-verify process, replaced when it hangs."""

    def __init__(self) -> None:
        self._warm = False
        self._process = self._start()
        atexit.register(self.close)

    def ask(self, gold: str, answer: str) -> bool:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            pipe_in.write(json.dumps([gold, answer]) + "\n")
            pipe_in.flush()
            seconds = _SECONDS if self._warm else _START_SECONDS
            if select.select([pipe_out], [], [], seconds)[0]:
                self._warm = True
                return bool(json.loads(pipe_out.readline()))
        self.close()
        self._process = self._start()
        return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _start(self) -> subprocess.Popen[str]:
        self._warm = False
        return subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("math_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


@lru_cache(maxsize=1)
def _worker() -> _Worker:
    return _Worker()
