"""A verifiable problem, and whether only evaluation may see it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A question, a reasoning trace with its own answer (wrong when a noisy step went astray), and how to check."""

    question: str
    reasoning: str
    answer: str
    truth: str
    verifier: Mapping[str, Any]

    def is_held_out(self, share: float) -> bool:
        """A stable hash of the question decides, so that a problem is on one side in every file."""
        return zlib.crc32(self.question.encode()) % 1_000 < share * 1_000
