"""Texts that end a response, such as the next question of a few-shot prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StopTexts:
    """Texts, and how tokens become text. A text may begin and end within tokens."""

    texts: tuple[str, ...]
    decode: Callable[[Sequence[int]], str]

    @property
    def reach(self) -> int:
        """Most tokens that one of the texts spans: no token is less than a byte."""
        return max((len(text.encode()) for text in self.texts), default=0)

    def found(self, tokens: Sequence[int]) -> bool:
        """Whether the tokens' text contains one of them."""
        text = self.decode(tokens)
        return any(stop in text for stop in self.texts)

    def cut(self, text: str) -> str:
        """What comes before them: cut where each is first found, one after the other, as lm-evaluation-harness does."""
        for stop in self.texts:
            text = text.split(stop)[0]
        return text
