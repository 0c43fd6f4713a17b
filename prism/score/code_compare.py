"""What a program answered against what was expected."""

from __future__ import annotations

import math
from typing import Any


def equal_values(result: Any, expected: Any) -> bool:
    """Equality of a plain value and a JSON value: a tuple is a list there; true isn't 1; floats agree to six digits."""
    if isinstance(result, bool) or isinstance(expected, bool):
        return result is expected
    if isinstance(result, list | tuple) and isinstance(expected, list):
        return len(result) == len(expected) and all(map(equal_values, result, expected))
    if isinstance(result, dict) and isinstance(expected, dict):
        return result.keys() == expected.keys() and all(equal_values(result[key], expected[key]) for key in expected)
    if isinstance(result, int | float) and isinstance(expected, int | float):
        if isinstance(result, int) and isinstance(expected, int):
            return result == expected
        try:
            return math.isclose(result, expected, rel_tol=1e-6, abs_tol=1e-9)
        except OverflowError:
            return False
    return type(result) is type(expected) and bool(result == expected)


def equal_modulo(result: Any, expected: int, modulus: int) -> bool:
    """Whether a whole number leaves the same remainder."""
    return type(result) is int and result % modulus == expected % modulus


def equal_text(result: str, expected: str) -> bool:
    """Whether the words agree; how they are spaced doesn't matter."""
    return result.split() == expected.split()
