"""Text as a sequence of words that the same text has however it is written.

Case, white space, punctuation, accents and full-width forms make no difference, nor does a number's formatting
(1,000 = 1 000 = 1{,}000 = 1000; 1.50 = 1.5; 007 = 7; 3.0 = 3), nor LaTeX's layout (`\\left(`, `\\,`, `\\$`,
`\\dfrac{1}{2}` = 1/2, `\\pi` = π). A number is one word; letters and digits are words apart (`2x` is two).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from data_prep.words.characters import character_classes
from data_prep.words.kernel import hash_codes, scan_words

WORDS_VERSION = 1
"""Changes when the same text would give other hashes."""

Hashes = NDArray[np.uint64]

_LAYOUT = (
    "left right big bigl bigr bigg biggl biggr frac dfrac tfrac cfrac text textbf textit textrm textsf texttt "
    "textnormal mathrm mathbf mathbb mathcal mathit mathsf operatorname displaystyle textstyle quad qquad begin "
    "end hspace vspace hfill limits nolimits mbox hbox cdot times div pm mp ast star le leq leqslant lt ge geq "
    "geqslant gt ne neq to rightarrow leftarrow longrightarrow implies iff in notin cup cap subset subseteq circ "
    "degree dots ldots cdots vdots ddots colon mid vert lvert rvert lfloor rfloor lceil rceil langle rangle "
    "approx equiv cong sim boxed overline underline hline prime item noindent newline par label"
).split()
"""Commands that say how text looks, or stand for a sign, which is no word either."""
_SAME = {"dbinom": "binom", "tbinom": "binom", "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta"}
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon "
    "phi chi psi omega"
).split()


@dataclass(frozen=True)
class Words:
    """`text` is the text in lower case; word k is `text[starts[k]:stops[k]]`. The hash of a number is odd, of another
    word even. shape of the arrays: (words,)
    """

    text: str
    hashes: Hashes
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]

    def cut(self, first: int, stop: int) -> Words:
        """Words `first` to `stop` - 1."""
        return Words(self.text, self.hashes[first:stop], self.starts[first:stop], self.stops[first:stop])

    def between(self, first: int, last: int) -> str:
        """The text from word `first` to word `last`, white space collapsed."""
        return " ".join(self.text[self.starts[first] : self.stops[last]].split())


def split_words(text: str) -> Words:
    """The words of a text, with their places in its lower-case form."""
    if text.isascii():
        text = text.lower()
        codes: NDArray[np.uint8] | NDArray[np.uint32] = np.frombuffer(text.encode("ascii"), np.uint8)
    else:
        text = unicodedata.normalize("NFKD", text).casefold()
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    hashes = np.empty(len(codes), np.uint64)  # memory is only taken where it is written
    starts, stops = np.empty(len(codes), np.int32), np.empty(len(codes), np.int32)
    commands, instead, greek, signs = _aliases()
    count = scan_words(codes, character_classes(), commands, instead, greek, signs, hashes, starts, stops)
    return Words(text, hashes[:count], starts[:count], stops[:count])


@cache
def _aliases() -> tuple[Hashes, Hashes, Hashes, Hashes]:
    """Commands (sorted) and what is taken for each (0: nothing), Greek letters, and the root and infinity signs."""
    table = {_hash(command): 0 for command in _LAYOUT} | {_hash(one): _hash(other) for one, other in _SAME.items()}
    commands = np.array(sorted(table), np.uint64)
    instead = np.array([table[int(command)] for command in commands], np.uint64)
    greek = np.array([_hash(letter) for letter in _GREEK], np.uint64)
    return commands, instead, greek, np.array([_hash("sqrt"), _hash("infty")], np.uint64)


def _hash(word: str) -> int:
    return int(hash_codes(np.frombuffer(word.encode("ascii"), np.uint8)))
