"""Questions of the real evaluation sets, other ways to write them, and text around them."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from data_prep.decontaminate import EvaluationQuestion, QuestionIndex, Search, read_questions
from data_prep.schema.decontamination import EvaluationSet

DATA = Path(os.environ.get("PRISM_DATA", Path(__file__).parents[4] / "shared" / "data"))
SETS = {
    "gsm8k": EvaluationSet(path=str(DATA / "gsm8k/test.jsonl"), answer="answer"),
    "math500": EvaluationSet(path=str(DATA / "math500/test.jsonl"), question="prompt", answer="answer"),
}
needs_data = pytest.mark.skipif(
    not all(Path(one.path).is_file() for one in SETS.values()),
    reason=f"GSM8K and MATH500 aren't in {DATA}; PRISM_DATA names their folder",
)
INSTRUCTION = "\nPlease reason step by step, and put your final answer within \\boxed{}."
"""What the file of MATH500 adds to each question, and documents that leak one don't have."""

_NUMBER = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:,\\!|\{,\}|, ?| )\d{3}(?!\d))+(?!\.\d)|(?<![\d.,])\d+(?![\d,.]*\d)")
_WORDS = [first + second for first in "bdfgklmprtv" for second in ("alo", "erim", "isto", "unda", "oke")]


@cache
def questions() -> tuple[EvaluationQuestion, ...]:
    return tuple(read_questions(SETS))


@cache
def search() -> Search:
    return Search(QuestionIndex.build(questions()))


def made_up(stream: random.Random, words: int) -> str:
    return " ".join(stream.choices(_WORDS, k=words))


def _spaces(text: str, stream: random.Random) -> str:
    return re.sub(r"\s+", lambda _: stream.choice(["  ", "\n", "\t", "\n\n", " \r\n ", "\u00a0", "\u3000"]), text)


def _numbers(write: Callable[[int], str]) -> Callable[[str, random.Random], str]:
    return lambda text, _: _NUMBER.sub(lambda found: write(int(re.sub(r"\D", "", found.group()))), text)


def _latex(text: str, stream: random.Random) -> str:
    """Without dollar signs, with spacing commands, and with displayed or slashed fractions."""
    text = re.sub(
        r"(?<!\d)\\frac\{(\d+)\}\{(\d+)\}",
        lambda found: stream.choice([r"\dfrac{%s}{%s}", "%s/%s"]) % found.groups(),
        text,
    )
    text = re.sub(r"\\?\$", " ", text).replace(r"\left(", "(").replace(r"\right)", ")")
    return re.sub(r" ", lambda _: stream.choice([" ", r"\, ", r" \! ", r"\ ", r" \; ", "~"]), text)


VARIANTS: dict[str, Callable[[str, random.Random], str]] = {
    "as it is": lambda text, _: text,
    "white space": _spaces,
    "upper case": lambda text, _: text.upper(),
    "lower case": lambda text, _: text.lower(),
    "thousands separators": _numbers("{:,}".format),
    "no thousands separators": _numbers(str),
    "trailing .0": _numbers("{:,}.0".format),
    "leading zeros": _numbers("000{}".format),
    "full-width digits": lambda text, _: text.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    "LaTeX spacing": _latex,
    "no punctuation": lambda text, _: re.sub(r"(?<!\\)[?!:;\"]", " ", text),
    "all at once": lambda text, stream: _spaces(
        _numbers("{:,}.00".format)(_latex(text, stream), stream), stream
    ).upper(),
}
