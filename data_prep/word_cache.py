"""Byte-level BPE several times faster, with the same ids: words are looked up, not tokenised again.

Byte-level BPE cuts text into words by a pattern, then merges inside each word. Most words of a corpus were seen before.
So text that is ASCII is cut here by the same pattern, and each word's ids come from a dictionary; a word that isn't in
it is tokenised by the `tokenizers` library. Stretches around other characters go to the library as they are: Unicode's
letters and digits differ between versions, ASCII's don't. A stretch begins and ends between a letter or digit and a
space with a letter behind it, where no pattern of this kind makes a word of both sides.

Whether a tokenizer can be served so is decided by its parts, and then tried on made-up text; where anything differs,
the library does everything.
"""

from __future__ import annotations

import json
import random
import re
import string
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The pattern of the library's ByteLevel pre-tokenizer (GPT-2's)."""

_MOST_WORDS = 500_000
_LONGEST_WORD = 64
"""Longer words are seldom seen twice."""

_ASCII = {
    "L": "A-Za-z", "Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9", "Lt": "", "Lm": "", "Lo": "", "M": "", "Mn": "",
    "Han": "", "P": r"!-#%-*,-/:;?@\[-\]_{}",
}  # fmt: skip
"""What Unicode's properties come to in ASCII, as part of a character class."""

_LETTERS = frozenset(string.ascii_letters)
_ALNUM = frozenset(string.ascii_letters + string.digits)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_MOST_FOREIGN = 20
"""Text in which more than one character in so many isn't ASCII goes to the library as a whole."""

_SPACE = r"\t\n\v\f\r "
_PROBES = 1_500


class WordCache:
    """Ids of ASCII text, by words. `WordCache.of` says whether a tokenizer can be served."""

    def __init__(self, tokenizer: Tokenizer, pattern: re.Pattern[str], rest: Any, special: re.Pattern[str] | None):
        self._tokenizer = tokenizer
        self._words = _Words(tokenizer, rest)
        self._cut = pattern.findall
        self._special = special

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> WordCache | None:
        """The cache of a byte-level BPE tokenizer; None for one that works in another way."""
        parts = json.loads(tokenizer.to_str())
        split = _split(parts)
        if split is None or not _plain(parts):
            return None
        source, rest = split
        pattern = ascii_pattern(source)
        if pattern is None:
            return None
        added = [token["content"] for token in parts.get("added_tokens") or []]
        special = re.compile("|".join(map(re.escape, added))) if added else None
        cache = cls(tokenizer, pattern, rest, special)
        return cache if all(cache._agrees(tokenizer, text) for text in _probes()) else None

    def encode(self, text: str) -> array[int] | None:
        """Ids of `text`; None when the library has to do it as a whole."""
        if self._special is not None and self._special.search(text):
            return None
        if text.isascii():
            return array("i", self._ascii(text))
        stretches = _NOT_ASCII.findall(text)
        if sum(map(len, stretches)) * _MOST_FOREIGN > len(text):
            return None
        return array("i", chain.from_iterable(self._parts(text)))

    def _ascii(self, text: str) -> Iterator[int]:
        return chain.from_iterable(map(self._words.__getitem__, self._cut(text)))

    def _parts(self, text: str) -> Iterator[Iterable[int]]:
        place = 0
        for found in _NOT_ASCII.finditer(text):
            if found.start() < place:
                continue
            left, right = _cut_before(text, place, found.start()), _cut_after(text, found.end())
            yield self._ascii(text[place:left])
            yield self._tokenizer.encode(text[left:right], add_special_tokens=False).ids
            place = right
        yield self._ascii(text[place:])

    def _agrees(self, tokenizer: Tokenizer, text: str) -> bool:
        found = self.encode(text)
        return found is None or found.tolist() == tokenizer.encode(text, add_special_tokens=False).ids


def _cut_before(text: str, least: int, place: int) -> int:
    """The last place before `place`, not before `least`, where a word surely begins; `least` if there is none."""
    while (place := text.rfind(" ", least + 1, place)) != -1:
        if _is_cut(text, place):
            return place
    return least


def _cut_after(text: str, place: int) -> int:
    """The first place from `place` on where a word surely begins; the end if there is none."""
    while (place := text.find(" ", place + 1)) != -1:
        if _is_cut(text, place):
            return place
    return len(text)


def _is_cut(text: str, space: int) -> bool:
    return text[space - 1] in _ALNUM and text[space + 1 : space + 2] in _LETTERS


class _Words(dict[str, tuple[int, ...]]):
    """Ids by word; the library is asked for those that are missing."""

    def __init__(self, tokenizer: Tokenizer, rest: Any) -> None:
        super().__init__()
        self._rest = rest
        self._model = tokenizer.model

    def __missing__(self, word: str) -> tuple[int, ...]:
        pieces = self._rest.pre_tokenize_str(word)
        ids = tuple(token.id for piece, _ in pieces for token in self._model.tokenize(piece))
        if len(word) <= _LONGEST_WORD:
            if len(self) >= _MOST_WORDS:
                self.clear()
            self[word] = ids
        return ids


def ascii_pattern(pattern: str) -> re.Pattern[str] | None:
    """A Unicode pattern as one for ASCII text; None for one with properties or syntax that aren't known here."""
    out, inside, place = [], False, 0
    while place < len(pattern):
        rest = pattern[place:]
        if found := re.match(r"\\(p|P)\{(\^?)(\w+)\}", rest):
            letters = _ASCII.get(found[3])
            if letters is None or found[1] == "P" or found[2] or (not inside and not letters):
                return None
            out.append(letters if inside else f"[{letters}]")
            place += found.end()
        elif rest.startswith((r"\s", r"\S")):
            if inside and rest[1] == "S":
                return None
            out.append(_SPACE if inside else f"[{_SPACE}]" if rest[1] == "s" else f"[^{_SPACE}]")
            place += 2
        elif rest[0] == "\\":
            if rest[1:2].isalnum() and rest[1] not in "rntvfd":
                return None
            out.append("0-9" if rest[1] == "d" and inside else "[0-9]" if rest[1] == "d" else rest[:2])
            place += 2
        else:
            if rest[0] in "[]":
                inside = rest[0] == "["
            out.append(rest[0])
            place += 1
    try:
        return re.compile("".join(out))
    except re.error:
        return None


def _split(parts: dict[str, Any]) -> tuple[str, Any] | None:
    """(pattern, the pre-tokenizers after it) of a tokenizer that begins by cutting words with a pattern."""
    steps = parts.get("pre_tokenizer") or {}
    steps = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    first, *others = steps
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if first.get("type") == "ByteLevel" and first.get("use_regex", True) and not others:
        return (_GPT2, bytes_only) if _no_prefix(first) else None
    whole = first.get("type") == "Split" and first.get("behavior") == "Isolated" and not first.get("invert")
    source = first.get("pattern", {}).get("Regex") if whole else None
    last = others[-1] if others else {}
    if source is None or len(others) != 1 or last.get("type") != "ByteLevel" or last.get("use_regex", True):
        return None
    return (source, bytes_only) if _no_prefix(last) else None


def _no_prefix(byte_level: dict[str, Any]) -> bool:
    return not byte_level.get("add_prefix_space", True)


def _plain(parts: dict[str, Any]) -> bool:
    """Whether nothing else changes ASCII text or its ids on the way."""
    normalizer = parts.get("normalizer") or {"type": "NFC"}
    added = parts.get("added_tokens") or []
    return (
        parts.get("model", {}).get("type") == "BPE"
        and parts["model"].get("dropout") is None
        and normalizer.get("type") in ("NFC", "NFD", "NFKC", "NFKD")
        and parts.get("truncation") is None
        and parts.get("padding") is None
        and not any(token.get("single_word") or token.get("lstrip") or token.get("rstrip") for token in added)
    )


def _probes() -> Iterable[str]:
    """Made-up text of words, numbers, signs and white space in every order."""
    stream = random.Random(1)
    parts = ["the", "The", "HTTP", "it's", "I'LL", "we're", "x1", "3.14", "1234567", "foo_bar", "__init__", "():", "->"]
    parts += [
        *string.printable,
        "  ",
        "    ",
        "\n\n",
        " \n",
        "\n ",
        "\r\n",
        "\t\t",
        "'S",
        "'t",
        "don't",
        "\x1c",
        "\x00",
    ]
    parts += [" plain", " words", " of", " text", "é", "数学", "\u00a0", "\u2028", "½", "e\u0301"]
    plain = " plain words of text" * 8  # enough that not all of a text goes to the library
    return ("".join(stream.choices(parts, k=stream.randrange(1, 40))) + plain for _ in range(_PROBES))
