"""A prompt whose haystack may have any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Draft:
    """Everything but the haystack's size is settled: a larger one changes neither needles, question nor answers.

    expected: strings that a right response holds.
    depths: where what they depend on lies in the haystack, 0 (begin) to 1 (end); empty where it lies everywhere.
    write: the prompt with so many units of haystack (sentences, words, passages).
    least: units without which there is no prompt.
    most: units there are; None where there is no end of them.
    """

    expected: tuple[str, ...]
    depths: tuple[float, ...]
    write: Callable[[int], str]
    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class RulerPrompt:
    """A prompt; `tokens` are its own, without the room that it leaves for the answer."""

    index: int
    text: str
    tokens: int
    expected: tuple[str, ...]
    depths: tuple[float, ...]
