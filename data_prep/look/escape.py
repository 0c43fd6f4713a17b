"""Text of unknown origin made safe to print."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control and formatting characters, lone surrogates, line and paragraph separators."""


def escaped(text: str) -> str:
    """`text` with what can't be seen, or moves a terminal's cursor, as an escape such as \\x1b or \\u202e.

    Line breaks stay.
    """
    return "".join(
        char if char == "\n" or unicodedata.category(char) not in _HIDDEN else _escape(char) for char in text
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
