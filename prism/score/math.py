"""Math answers: the same normal form, else math-verify in worker processes that can be killed.

Guards refuse what math-verify is known to accept wrongly: other subscripts, other powers of a unit, a set for a
tuple, a list in another order, several alternatives. They also refuse text that is long, deeply nested or a tower of
powers, which math-verify would compute.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from prism.score.verdict import PromptRow
from prism.score.workers import WorkerPool

_SECONDS = 15.0
"""Wall clock, the parent's last resort. The worker is ended by its CPU time well before, whatever else is running."""

_LONGEST = 300
_DEEPEST = 8
_BOXED = "\\boxed{"
_REMEMBERED = 65_536

_SPACING = re.compile(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\[!,;: ]|\$|\{,\}")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SUBSCRIPT = re.compile(r"_\s*(\{[^{}]*\}|.)")
_UNIT_POWER = re.compile(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}\s*\^\s*(\{[^{}]*\}|.)")
_TOWER = re.compile(r"\^\s*\{[^{}]*\^\s*\{[^{}]*\^")
_OR = re.compile(r"(?<![A-Za-z])or(?![A-Za-z])")


def verify_math(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """Right when the answers are equal as text in normal form, or as mathematics.

    Raises:
        PrismError: math-verify can't be started.
    """
    return equal_all([(str(row["answer"]), answer) for row, answer in zip(rows, answers, strict=True)])


def equal(gold: str, answer: str) -> bool:
    """See `verify_math`."""
    return equal_all([(gold, answer)])[0]


def equal_all(pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """See `verify_math`; pairs that need math-verify are compared side by side."""
    known: dict[tuple[str, str], bool] = {}
    open_pairs = []
    finals = [(final_answer(gold), final_answer(answer)) for gold, answer in pairs]
    for gold, answer in dict.fromkeys(finals):
        if normal(gold) == normal(answer):
            known[gold, answer] = True
        elif not answer or _refused(gold, answer):
            known[gold, answer] = False
        else:
            open_pairs.append((gold, answer))
    known.update(_compare(open_pairs))
    return [known[pair] for pair in finals]


def final_answer(text: str) -> str:
    """The part that is judged: the last boxed expression, the line after the last ####, or all of it."""
    if _BOXED in text:
        return _balanced(text[text.rindex(_BOXED) + len(_BOXED) :])
    _, marked, after = text.rpartition("####")
    return after.strip().partition("\n")[0].strip() if marked else text.strip()


def normal(text: str) -> str:
    """Without dollar signs, sizes and spacing that mean nothing, thousands separators, and a final point.

    A blank stays between digits (2 1/2 isn't 21/2), and a comma stays within brackets ((1,200) is a pair).
    """
    text = _SPACING.sub("", text).replace("dfrac", "frac").replace("tfrac", "frac")
    text = re.sub(r"(?<=\d)\s+(?=\d)", "\x00", text)
    text = re.sub(r"\s", "", text).replace("\x00", " ")
    if not re.search(r"[(\[{]", text):
        text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    return text.rstrip(".")


def _compare(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    remembered = _remembered()
    new = [pair for pair in pairs if pair not in remembered]
    for pair, same in zip(new, _pool().ask_all(new, [_SECONDS] * len(new)), strict=True):
        remembered[pair] = same is True
    result = {pair: remembered[pair] for pair in pairs}
    while len(remembered) > _REMEMBERED:
        del remembered[next(iter(remembered))]
    return result


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
        or bool(_TOWER.search(answer))
        or _parts(_SUBSCRIPT, answer) != _parts(_SUBSCRIPT, gold)
        or _other_unit(gold, answer)
        or ("\\{" in answer) != ("\\{" in gold)
        or answer.startswith("{") != gold.startswith("{")
        or bool(_OR.search(answer)) != bool(_OR.search(gold))
        or (normal(answer).count(",") != normal(gold).count(","))
        or _reordered(gold, answer)
    )


def _parts(pattern: re.Pattern[str], text: str) -> Counter[str]:
    return Counter(part.strip("{} ") for part in pattern.findall(text))


def _other_unit(gold: str, answer: str) -> bool:
    """Both have powers of a unit, and not the same; or only the answer has one, where the gold answer has a unit."""
    ours, theirs = _parts(_UNIT_POWER, gold), _parts(_UNIT_POWER, answer)
    return bool(theirs) and ours != theirs and (bool(ours) or "\\text" in gold or "\\mathrm" in gold)


def _reordered(gold: str, answer: str) -> bool:
    """The same elements in another order, outside an explicit set: math-verify takes a list for a set."""
    ours, theirs = normal(gold).split(","), normal(answer).split(",")
    return ours != theirs and sorted(ours) == sorted(theirs)


@lru_cache(maxsize=1)
def _remembered() -> dict[tuple[str, str], bool]:
    return {}


@lru_cache(maxsize=1)
def _pool() -> WorkerPool:
    return WorkerPool(
        [sys.executable, "-P", "-s", str(Path(__file__).with_name("math_child.py"))],
        # A fixed hash seed: sympy's choices may follow the order of sets.
        environment={"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        remedy="install math-verify: pip install 'prism-megatron[engine]'",
    )
