"""The text of a math answer: which part of a response is judged, and one way to write what TeX writes in many."""

from __future__ import annotations

import re

LONGEST = 400
"""Characters of an answer that is still read; a longer one is right only when it is the gold answer itself."""

_BOXES = ("\\boxed{", "\\fbox{", "\\boxed {")
_SAYS = re.compile(r"answer\s*(?:is|:|=)[\s:*]*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<!\\)[.!?](?:\s|$)")

_UNICODE = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "×": "\\times ",
        "·": "\\cdot ",
        "÷": "/",
        "π": "\\pi ",
        "∞": "\\infty ",
        "°": "^\\circ ",
        "∪": "\\cup ",
        "∈": "\\in ",
        "±": "\\pm ",
        "≤": "\\le ",
        "≥": "\\ge ",
        "²": "^2",
        "³": "^3",
        "½": "\\frac{1}{2}",
        "¼": "\\frac{1}{4}",
        "¾": "\\frac{3}{4}",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "，": ",",
    }
)
_SAME = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\\\(?:\[\d*\w+\])?", "\x02"),
        (r"√ ?(\d+|[A-Za-z])|√ ?\(([^()]*)\)", r"\\sqrt{\1\2}"),
        (r"\\\$", "\x01"),
        (r"\\[()\[\]](?![A-Za-z])|\$", " "),
        (r"\x01", r"\\$"),
        (r",\\!\s*(?=\d{3}(?!\d))", "{,}"),
        (r"(?<=\d)(?:\\,|~)(?=\d{3}(?!\d))", "{,}"),
        (r"(?<=\d)\{,\}(?=\d{3}(?!\d))", ""),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits|nolimits|boldsymbol|bf|rm)(?![A-Za-z])", " "),
        (r"\\[!,;:> ]|\\(?:quad|qquad)(?![A-Za-z])|~", " "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\(?:lbrace)(?![A-Za-z])", r"\\{"),
        (r"\\(?:rbrace)(?![A-Za-z])", r"\\}"),
        (r"\\infin(?![A-Za-z])", r"\\infty"),
        (r"\\(?:leq|leqslant)(?![A-Za-z])", r"\\le"),
        (r"\\(?:geq|geqslant)(?![A-Za-z])", r"\\ge"),
        (r"\\(?:mathrm|mbox|textbf|textit|textrm|mathbf|mathit|operatorname|hbox)\s*(?=\{)", r"\\text"),
        (r"\\begin\{[bv]?(?:small)?matrix\}|\\begin\{array\}\{[lcr|]*\}", r"\\begin{pmatrix}"),
        (r"\\end\{(?:[bv]?(?:small)?matrix|array)\}", r"\\end{pmatrix}"),
        (r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![A-Za-z])|\\degree(?:s)?(?![A-Za-z])", r"\\degree "),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\{[^{}]*\})\s*(\d)", r"\\frac\1{\2}"),
        (r"\\sqrt\s*(\d)", r"\\sqrt{\1}"),
        (r"\\sqrt\s+(?=[\[{])", r"\\sqrt"),
        (r"\x02", r"\\\\"),
        (r"\s+", " "),
    )
]
_BETWEEN_DIGITS = re.compile(r"(?<=[\d}]) (?=\d)")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)")
_LETTER_AFTER_COMMAND = re.compile(r"(\\[A-Za-z]+) (?=[A-Za-z])")


def final_answer(text: str) -> str:
    """The part that is judged: the last boxed expression, the line after the last ####, what follows the last
    "answer is" or "answer:", or all of it."""
    start, box = max((text.rfind(box), box) for box in _BOXES)
    if start >= 0:
        return _balanced(text[start + len(box) :])
    _, marked, after = text.rpartition("####")
    if marked:
        return after.strip().partition("\n")[0].strip()
    return _said(text.strip())


def tidy(text: str) -> str:
    """TeX written one way: without dollar signs, sizes and spacing that mean nothing, fractions and roots with braces,
    degrees as \\degree, unicode signs as commands, one blank at most, and no point at the end."""
    text = text.translate(_UNICODE)
    for pattern, replacement in _SAME:
        text = pattern.sub(replacement, text)
    text = text.strip().strip("*").rstrip(".;,: ").strip()
    while text.startswith("{") and _closes_at(text, 0) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def squeeze(text: str) -> str:
    """`tidy` text without blanks that mean nothing: one stays between digits (2 1/2 isn't 21/2) and ends a command."""
    text = _BETWEEN_DIGITS.sub("\x00", text)
    text = _LETTER_AFTER_COMMAND.sub("\\1\x00", text)
    return text.replace(" ", "").replace("\x00", " ")


def without_thousands(text: str) -> str:
    """1,000 as 1000, but not within brackets: (1,000) is a pair."""

    def joined(match: re.Match[str]) -> str:
        before = text[: match.start()]
        inside = sum(before.count(sign) for sign in "([") > sum(before.count(sign) for sign in ")]")
        return match[0] if inside else match[0].replace(",", "")

    return _THOUSANDS.sub(joined, text)


def split(text: str, separator: str) -> list[str]:
    """Parts between separators that lie outside of all brackets, [0, 1) and TeX's \\{ \\} included."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        if text[place] in "([{":
            depth += 1
        elif text[place] in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(separator, place):
            parts.append(text[start:place].strip())
            start = place + len(separator)
            place = start - 1
        place += 1
    return [*parts, text[start:].strip()]


def closes_at(text: str) -> int:
    """Where the bracket that `text` begins with is closed, by whichever kind; -1 when it isn't."""
    return _closes_at(text, 0)


def deepest(text: str) -> int:
    """How deep its brackets nest."""
    depth = most = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        most = max(most, depth)
    return most


def _closes_at(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0:
            return place
    return -1


def _balanced(text: str) -> str:
    depth = 1
    for index, sign in enumerate(text[: LONGEST + 1]):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0:
            return text[:index].strip()
    return text


def _said(text: str) -> str:
    """What a sentence such as "So the answer is $4$." says; the text itself when it has no such sentence."""
    tail = text[-2 * LONGEST :]
    marks = list(_SAYS.finditer(tail))
    if not marks:
        return text
    said = tail[marks[-1].end() :].strip().partition("\n")[0]
    end = _SENTENCE_END.search(said)
    return said[: end.start()].strip() if end else said
