"""Plain text to documents."""

from __future__ import annotations

from collections.abc import Iterator

_PASSAGE = 2_000


def passages(text: str, split: str) -> Iterator[tuple[int, str]]:
    """(first line, document): the text, its paragraphs, or paragraphs put together to 2,000 characters or more."""
    if split == "file":
        if text.strip():
            yield 1, text
        return
    least = _PASSAGE if split == "passage" else 1
    number, first, parts, length = 1, 1, list[str](), 0
    for paragraph in text.split("\n\n"):
        parts.append(paragraph)
        length += len(paragraph)
        number += paragraph.count("\n") + 2
        if length >= least:
            yield from _document(first, parts)
            first, parts, length = number, [], 0
    yield from _document(first, parts)


def _document(line: int, paragraphs: list[str]) -> Iterator[tuple[int, str]]:
    text = "\n\n".join(paragraphs).strip("\n")
    if text.strip():
        yield line, text
