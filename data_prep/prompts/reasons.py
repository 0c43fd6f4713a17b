"""Why a row gives no prompt."""

from __future__ import annotations


class NoPrompt(Exception):
    """A row without a verifiable answer; `reason` is what the set's card counts it under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
