"""When two prompts ask the same: a key that spelling, layout and instructions leave alone."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_INSTRUCTION = re.compile(
    r"(?i)\\boxed|\b(?:think|reason|reasoning|thinking)\s+step[ -]by[ -]step\b"
    r"|\b(?:put|give|write|present|output|place|provide|return|enclose|mark)\b[^.\n]*\b(?:final|your) answer\b"
    r"|\bsolve the following (?:[\w-]+ )?(?:problem|question)\b"
)
_END = re.compile(r"(?<=[.!?:])\s+|\s*\n\s*")
_LONGEST_INSTRUCTION = 300
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|quad|qquad)(?![A-Za-z])|\\[,;:! ()\[\]]|\$|(?<=\\)[dt](?=frac)")
_SPACE = re.compile(r"\s+")


def prompt_key(prompt: str) -> int:
    """64 bits, equal for prompts that differ in case, white space, LaTeX's layout, a final mark, or instructions."""
    text = unicodedata.normalize("NFKC", without_instructions(prompt)).casefold()
    text = _SPACE.sub("", _LAYOUT.sub("", text)).rstrip(".?:")
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def without_instructions(prompt: str) -> str:
    r"""The prompt without sentences at its ends that say how to answer (`Put your final answer within \boxed{}.`)."""
    prompt = prompt.strip()
    starts = [0, *(end.end() for end in _END.finditer(prompt))]
    pieces = [prompt[start:stop] for start, stop in zip(starts, [*starts[1:], len(prompt)], strict=True)]
    first, last = 0, len(pieces)
    while first < last and _is_instruction(pieces[first]):
        first += 1
    while last > first and _is_instruction(pieces[last - 1]):
        last -= 1
    return "".join(pieces[first:last]).strip() or prompt


def _is_instruction(piece: str) -> bool:
    return len(piece) < _LONGEST_INSTRUCTION and _INSTRUCTION.search(piece) is not None
