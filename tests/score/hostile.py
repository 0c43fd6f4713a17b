"""Answers made to hang, crash or fool a verifier."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

_COMMANDS = r"\frac \sqrt \left( \right) \text{ \boxed{ \begin{pmatrix} \end{pmatrix} \cup \pm \in \infty \circ".split()
_PIECES = [
    *_COMMANDS,
    *"{}()[]^_&,;=<>!%$|~",
    "\\\\",
    "\\",
    "x",
    "i",
    "1",
    "23",
    "4.5",
    "####",
    "or",
    " ",
    "\n",
    "\0",
    "π",
]


def hostile_answers(count: int, seed: int) -> Iterator[str]:
    """`count` answers: a hundredth about 1 MB long, a fifth from hypothesis, the rest from the makers below."""
    draw = random.Random(seed)
    texts = _made_by_hypothesis(count // 5, seed)
    long = [maker for maker in _LONG for _ in range(max(1, count // 100 // len(_LONG)))]
    yield from (f"{maker(draw)}{number}" for number, maker in enumerate(long))
    yield from texts
    for _ in range(count - len(long) - len(texts)):
        answer = draw.choice(_MAKERS)(draw)
        yield f"\\boxed{{{answer}}}" if draw.random() < 0.5 else answer


def _made_by_hypothesis(count: int, seed: int) -> list[str]:
    found: list[str] = []
    text = st.one_of(
        st.text(max_size=300),
        st.lists(st.sampled_from(_PIECES), max_size=60).map("".join),
        st.text(st.characters(categories=["Cc", "Cf", "Zs", "Nd", "Sm"]), max_size=80),
        st.recursive(
            st.sampled_from(["1", "x", "9"]),
            lambda inner: st.tuples(
                st.sampled_from([r"\frac{%s}{%s}", "{%s}^{%s}", r"\sqrt[%s]{%s}"]), inner, inner
            ).map(lambda drawn: drawn[0] % drawn[1:]),
            max_leaves=12,
        ),
    )

    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(text)
    def collect(drawn: str) -> None:
        found.append(drawn)

    collect()
    return found[:count]


def _number(draw: random.Random) -> int:
    return draw.choice([draw.randrange(10), draw.randrange(10**4), draw.randrange(10**9), 10 ** draw.randrange(1, 30)])


def _tower(draw: random.Random) -> str:
    text = str(draw.randrange(2, 10))
    for _ in range(draw.randrange(1, 6)):
        text = f"{draw.randrange(2, 10)}^{{{text}}}"
    return text


def _nested(draw: random.Random) -> str:
    depth = draw.choice([5, 9, 12, 30, 60])
    opens, closes = draw.choice(
        [("(", ")"), ("{", "}"), ("\\sqrt{", "}"), ("\\frac{1}{1+", "}"), ("\\left(", "\\right)")]
    )
    return opens * depth + str(_number(draw)) + closes * (depth - draw.choice([0, 0, 1]))


def _pieces(draw: random.Random) -> str:
    return "".join(draw.choice(_PIECES) for _ in range(draw.randrange(1, 80)))


def _computed(draw: random.Random) -> str:
    n, m = _number(draw), _number(draw)
    return draw.choice(
        [
            f"{n}!", f"({n}!)!", f"{n}!!", f"{n}^{{{m}}}", f"{n}^{{{m}}}+{m}", f"\\binom{{{n}}}{{{m}}}", f"2^{{-{n}}}",
            f"\\sum_{{k=1}}^{{{n}}} k^{{{m}}}", f"\\prod_{{k=1}}^{{{n}}} k", f"\\int_0^{{{n}}} x^{{{m}}} dx",
            f"\\lim_{{x \\to {n}}} x^{{{m}}}", f"\\sqrt[{n}]{{{m}}}", f"\\log_{{{n}}} {m}", f"\\sin({n}^{{{m}}})",
            f"(x+1)^{{{n}}}", f"(x+y+z)^{{{draw.randrange(200)}}} = {n}", f"{n} \\mod {m}", f"\\frac{{{n}!}}{{{m}!}}",
            f"x^{{{n}}}+x^{{{m}}}+1=0", f"\\Gamma({n})", f"e^{{{n}}}", f"{n}\\%^{{{m}}}", f"10^{{{n}}}", f"1/0+{n}",
        ]
    )  # fmt: skip


def _digits(draw: random.Random) -> str:
    length = draw.choice([50, 390, 4_301, 20_000])
    sign = draw.choice(["", "-", "0.", "1/", "\\frac{1}{"])
    return sign + "".join(draw.choice(string.digits) for _ in range(length))


def _noise(draw: random.Random) -> str:
    return "".join(
        chr(draw.choice([draw.randrange(32), draw.randrange(0x300), draw.randrange(0x1F000, 0x1F900)]))
        for _ in range(60)
    )


def _matrix(draw: random.Random) -> str:
    size = draw.randrange(1, 9)
    row = " & ".join(str(_number(draw)) for _ in range(size))
    return "\\begin{pmatrix}" + " \\\\ ".join([row] * size) + "\\end{pmatrix}" + draw.choice(["", "^{-1}", "^{99}"])


_MAKERS: list[Callable[[random.Random], str]] = [_tower, _nested, _pieces, _computed, _digits, _noise, _matrix]
_MEGABYTE = 1 << 20
_LONG: list[Callable[[random.Random], str]] = [
    lambda draw: "1" * _MEGABYTE,
    lambda draw: "(" * _MEGABYTE,
    lambda draw: "\\boxed{" * (_MEGABYTE // 7),
    lambda draw: "\\boxed{" + "{" * _MEGABYTE,
    lambda draw: "1 " * (_MEGABYTE // 2),
    lambda draw: "1" + " " * _MEGABYTE + "1",
    lambda draw: "1,000" * (_MEGABYTE // 5),
    lambda draw: "answer is " * (_MEGABYTE // 10),
    lambda draw: "####" * (_MEGABYTE // 4),
    lambda draw: "\\frac{1}{" * (_MEGABYTE // 9),
    lambda draw: "<think>" * (_MEGABYTE // 7),
    lambda draw: "<think> a </think>" + "A " * (_MEGABYTE // 2),
    lambda draw: "\n" * _MEGABYTE + "x",
    lambda draw: "".join(chr(draw.randrange(1, 0xD800)) for _ in range(1 << 16)) * 8,
]
