"""Which prompt a sequence begins with. Aligner sends prompt and response as one, and says neither where one ends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")
_BYTES = 4
"""Of a token: big-endian, so that bytes are ordered as sequences of tokens are."""


@dataclass(frozen=True)
class Found(Generic[Value]):
    """A prompt's value, and its length in tokens."""

    value: Value
    length: int


class PromptIndex(Generic[Value]):
    """Finds the longest prompt that a sequence of tokens begins with.

    A prompt that is the beginning of another is found unless the response goes on as the other does; `nested` counts
    such prompts. Later prompts with the same tokens are left out; `repeated` counts them.
    """

    def __init__(self, prompts: Iterable[tuple[Sequence[int], Value]]) -> None:
        by_key: dict[bytes, Value] = {}
        self.repeated = 0
        for tokens, value in prompts:
            key = _key(tokens)
            if not key:
                raise ValueError("a prompt without tokens")
            self.repeated += key in by_key
            by_key.setdefault(key, value)
        self._keys = sorted(by_key)
        self._values = [by_key[key] for key in self._keys]
        self.nested = sum(after.startswith(key) for key, after in zip(self._keys, self._keys[1:], strict=False))

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, tokens: Sequence[int]) -> Found[Value] | None:
        """None where no prompt fits.

        The last key that isn't beyond the sequence begins with the answer; where it isn't the answer itself, the
        answer is no longer than what both have in common.
        """
        wanted = _key(tokens)
        while wanted:
            at = bisect_right(self._keys, wanted) - 1
            if at < 0:
                return None
            key = self._keys[at]
            if wanted.startswith(key):
                return Found(self._values[at], len(key) // _BYTES)
            wanted = wanted[: _common(key, wanted)]
        return None


def _key(tokens: Sequence[int]) -> bytes:
    return np.asarray(tokens, dtype=">u4").tobytes()


def _common(one: bytes, other: bytes) -> int:
    """Bytes of the whole tokens with which both begin."""
    length = min(len(one), len(other)) // _BYTES
    differing = np.frombuffer(one, ">u4", length) != np.frombuffer(other, ">u4", length)
    return _BYTES * (int(differing.argmax()) if differing.any() else length)
