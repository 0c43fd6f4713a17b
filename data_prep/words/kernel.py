"""The compiled part of splitting text into words; the rules are told in `words`."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from data_prep.words.characters import ALONE, APOSTROPHE, BREAK, DIGIT, LETTER, PLANE, ROOT_SIGN, SKIPPED

Codes = NDArray[Any]
_compiled = numba.njit(cache=True, nogil=True)

_BEGIN = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_MORE = np.uint64(0xD6E8FEB86659FD93)
_ONE = np.uint64(1)
_HALF = np.uint64(32)
_ZERO_DIGIT, _DOT = np.uint64(ord("0")), np.uint64(ord("."))
_BACKSLASH, _FULL_STOP, _COMMA, _SPACE, _UNDERSCORE = ord("\\"), ord("."), ord(","), ord(" "), ord("_")
_OPEN, _CLOSE, _BANG, _SEMICOLON, _COLON = ord("{"), ord("}"), ord("!"), ord(";"), ord(":")
_FIRST_GREEK, _LAST_GREEK = 0x3B1, 0x3C9
_FIRST_EMOJI, _LAST_EMOJI = 0x1F000, 0x1FAFF
_BY_COMMA, _BY_SPACE = 1, 2


@_compiled
def _class(code: int, classes: NDArray[np.uint8]) -> int:
    if code < PLANE:
        return int(classes[code])
    return BREAK if _FIRST_EMOJI <= code <= _LAST_EMOJI else LETTER


@_compiled
def _is_digit(codes: Codes, at: int, classes: NDArray[np.uint8]) -> bool:
    return at < len(codes) and DIGIT <= _class(codes[at], classes) < LETTER


@_compiled
def _add(state: np.uint64, code: np.uint64) -> np.uint64:
    return (state ^ code) * _PRIME  # FNV-1a, on code points


@_compiled
def finish(state: np.uint64) -> np.uint64:
    """Spreads a state over all 64 bits."""
    state = (state ^ (state >> _HALF)) * _MIX
    state = (state ^ (state >> _HALF)) * _MIX_MORE
    return state ^ (state >> _HALF)


@_compiled
def _word(state: np.uint64) -> np.uint64:
    return finish(state) & ~_ONE


@_compiled
def hash_codes(codes: Codes) -> np.uint64:
    """Hash of a word of letters."""
    state = _BEGIN
    for code in codes:
        state = _add(state, np.uint64(code))
    return _word(state)


@_compiled
def _skip_blanks(codes: Codes, at: int) -> int:
    while at < len(codes) and (codes[at] == _SPACE or 9 <= codes[at] <= 13):
        at += 1
    return at


@_compiled
def _after_comma(codes: Codes, at: int, classes: NDArray[np.uint8]) -> int:
    """Where digits may go on after a separator of thousands other than a space, or -1."""
    size = len(codes)
    if at < size and (codes[at] == _UNDERSCORE or _class(codes[at], classes) == APOSTROPHE):
        return at + 1
    at = _skip_blanks(codes, at)
    if at + 2 < size and codes[at] == _OPEN and codes[at + 1] == _COMMA and codes[at + 2] == _CLOSE:
        at += 3
    elif at < size and codes[at] == _COMMA:
        at += 1
        if at + 1 < size and codes[at] == _BACKSLASH and codes[at + 1] == _BANG:
            at += 2
    elif at + 1 < size and codes[at] == _BACKSLASH:
        sign = codes[at + 1]
        if sign != _COMMA and sign != _BANG and sign != _SEMICOLON and sign != _COLON:
            return -1
        at += 2
    else:
        return -1
    return _skip_blanks(codes, at)


@_compiled
def _three_digits(codes: Codes, at: int, classes: NDArray[np.uint8]) -> bool:
    return (
        _is_digit(codes, at, classes)
        and _is_digit(codes, at + 1, classes)
        and _is_digit(codes, at + 2, classes)
        and not _is_digit(codes, at + 3, classes)
    )


@_compiled
def _number(codes: Codes, at: int, classes: NDArray[np.uint8]) -> tuple[np.uint64, int]:
    """The hash of the number that begins here, and where it ends.

    Groups of three digits are taken together also when a space follows the comma: `(5, 200)` is written `(5,200)` too.
    """
    state, empty, begin = _BEGIN, True, at
    while _is_digit(codes, at, classes):
        digit = np.uint64(_class(codes[at], classes) - DIGIT)
        if digit or not empty:
            state, empty = _add(state, _ZERO_DIGIT + digit), False
        at += 1
    first, joined = at - begin, 0
    while True:
        if at < len(codes) and codes[at] == _FULL_STOP and _is_digit(codes, at + 1, classes):
            last, end = 0, at + 1
            while _is_digit(codes, end, classes):
                if _class(codes[end], classes) != DIGIT:
                    last = end
                end += 1
            if last:
                state = _add(_add(state, _ZERO_DIGIT) if empty else state, _DOT)
                for place in range(at + 1, last + 1):
                    state = _add(state, _ZERO_DIGIT + np.uint64(_class(codes[place], classes) - DIGIT))
                return _word(state) | _ONE, end
            at = end
        after, kind = _after_comma(codes, at, classes), _BY_COMMA
        if after < 0 and joined != _BY_COMMA and 1 <= first <= 3 and at < len(codes) and codes[at] == _SPACE:
            after, kind = at + 1, _BY_SPACE
        if after < 0 or not _three_digits(codes, after, classes):
            break
        for place in range(after, after + 3):
            digit = np.uint64(_class(codes[place], classes) - DIGIT)
            if digit or not empty:
                state, empty = _add(state, _ZERO_DIGIT + digit), False
        at, joined = after + 3, kind
    return _word(_add(state, _ZERO_DIGIT) if empty else state) | _ONE, at


@_compiled
def scan_words(
    codes: Codes,
    classes: NDArray[np.uint8],
    commands: NDArray[np.uint64],
    instead: NDArray[np.uint64],
    greek: NDArray[np.uint64],
    signs: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    starts: NDArray[np.int32],
    stops: NDArray[np.int32],
) -> int:
    """Fills `hashes`, `starts`, `stops`; returns the number of words. `codes` is lower case, a code point each."""
    at, count, size = 0, 0, len(codes)
    while at < size:
        kind, begin = _class(codes[at], classes), at
        if DIGIT <= kind < LETTER or (
            codes[at] == _FULL_STOP
            and _is_digit(codes, at + 1, classes)
            and (at == 0 or not DIGIT <= _class(codes[at - 1], classes) <= SKIPPED)
        ):
            found, at = _number(codes, at, classes)
        elif kind == ALONE:
            is_sign = codes[at] < 0x3000
            found = signs[0 if codes[at] == ROOT_SIGN else 1] if is_sign else _word(_add(_BEGIN, np.uint64(codes[at])))
            at += 1
        elif kind == LETTER:
            state, letters = _BEGIN, 0
            while at < size:
                kind = _class(codes[at], classes)
                if kind == LETTER:
                    state, letters = _add(state, np.uint64(codes[at])), letters + 1
                elif kind == APOSTROPHE:
                    if at + 1 >= size or _class(codes[at + 1], classes) != LETTER:
                        break
                elif kind != SKIPPED:
                    break
                at += 1
            found = _word(state)
            if begin and codes[begin - 1] == _BACKSLASH:
                place = np.searchsorted(commands, found)
                if place < len(commands) and commands[place] == found:
                    found = instead[place]
                    if not found:
                        continue
            elif letters == 1 and _FIRST_GREEK <= codes[begin] <= _LAST_GREEK:
                found = greek[codes[begin] - _FIRST_GREEK]
        else:
            at += 1
            continue
        hashes[count], starts[count], stops[count] = found, begin, at
        count += 1
    return count
