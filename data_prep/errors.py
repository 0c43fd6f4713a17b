"""Errors that a user can act on: each names the thing, the place and the remedy, and carries an exit code."""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """An error for the user. `exit_code` is what a command line leaves with."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, place: str | None = None, remedy: str | None = None) -> None:
        self.message = message
        self.place = place
        self.remedy = remedy
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text.rstrip('.')}. Remedy: {remedy}" if remedy else text)


class DataError(UserError):
    """Bad input data: missing, damaged, or not what it claims to be."""

    exit_code = 4


class UsageError(DataError):
    """A step asked for in a way that can't work."""

    exit_code = 2


class GateRefused(DataError):
    """A gate refused to go on, such as a blend that repeats a source too often."""

    exit_code = 3


class DiskFull(UserError):
    """The disk hasn't the room for what is asked; what was written before is whole."""

    exit_code = 5
