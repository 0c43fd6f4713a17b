"""What a character is to the splitting of text into words: a table over Unicode's first plane."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

BREAK = 0
DIGIT = 1
"""DIGIT + d is a digit of value d, in any script."""
LETTER = 11
SKIPPED = 12
"""Accents and invisible characters: they neither belong to a word nor end it."""
ALONE = 13
"""A word of its own: Chinese characters and Japanese kana, and the root and infinity signs."""
APOSTROPHE = 14

ROOT_SIGN = 0x221A
INFINITY_SIGN = 0x221E
PLANE = 1 << 16
_KANA_AND_IDEOGRAPHS = ((0x3040, 0x3100), (0x3400, 0x4DC0), (0x4E00, 0xA000))
_APOSTROPHES = "'’‘ʼ`´"


@cache
def character_classes() -> NDArray[np.uint8]:
    """shape (65536,); decomposed text is expected (NFKD)."""
    table = np.array([_class(chr(code)) for code in range(PLANE)], dtype=np.uint8)
    for start, stop in _KANA_AND_IDEOGRAPHS:
        table[start:stop] = ALONE
    table[[ROOT_SIGN, INFINITY_SIGN]] = ALONE
    table[[ord(character) for character in _APOSTROPHES]] = APOSTROPHE
    return table


def _class(character: str) -> int:
    category = unicodedata.category(character)
    if category == "Nd":
        return DIGIT + unicodedata.decimal(character)
    if category[0] == "L" or category in ("Nl", "No"):
        return LETTER
    if category[0] == "M" or category == "Cf":
        return SKIPPED
    return BREAK
