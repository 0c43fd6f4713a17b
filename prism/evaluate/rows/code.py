"""Published tests of programs that read standard input or are called, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_prep.api import NoPrompt, published_tests

MOST_OUTPUT = (1 << 20) - (1 << 10)
"""Bytes of output that the sandbox keeps of a program (`prism.score.sandbox`), less some room for how it is spaced."""


def tests_of(cases: Sequence[Mapping[str, Any]], entry_point: str | None = None) -> dict[str, Any]:
    """The verifier of `{input, output, testtype}` cases, all of which count.

    Raises:
        NoPrompt: there are none, they are of no known form, or a right output is longer than a program may print.
    """
    if any(len(str(case.get("output", "")).encode(errors="replace")) > MOST_OUTPUT for case in cases):
        raise NoPrompt("an output of more than 1 MiB")
    return published_tests(list(cases), entry_point)
