"""Text of unknown origin made safe to print."""

from __future__ import annotations


def escaped(text: str) -> str:
    """`text` with what can't be seen, or moves a terminal's cursor, as an escape such as \\x1b, \\xa0 or \\u202e.

    Line breaks and plain spaces stay.
    """
    return "".join(char if char == "\n" or char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
