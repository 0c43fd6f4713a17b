"""RULER's score of a response."""

from __future__ import annotations

from collections.abc import Sequence


def share_found(response: str, expected: Sequence[str], *, one_is_enough: bool = False) -> float:
    """Share of the expected strings that occur in the response, upper and lower case alike.

    Args:
        one_is_enough: 1.0 as soon as one occurs (questions on passages), else 0.0.

    Raises:
        ValueError: nothing is expected.
    """
    if not expected:
        raise ValueError("a response is scored by at least one expected string")
    lower = response.lower()
    found = [answer.lower() in lower for answer in expected]
    return float(any(found)) if one_is_enough else sum(found) / len(found)
