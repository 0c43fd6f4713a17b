"""Errors that a user can act on: each names the thing, the place and the remedy, and carries an exit code."""

from __future__ import annotations

from data_prep.errors import UserError


class PrismError(UserError):
    """An error of this package; `message`, `place` and `remedy` make its one line."""


class UsageError(PrismError):
    """A command called in a way it doesn't understand."""

    exit_code = 2


class RecipeError(PrismError):
    """A recipe that can't be read, composed or validated."""

    exit_code = 2


class GateRefused(PrismError):
    """A gate (retention, memory plan, data epochs) refused to go on."""

    exit_code = 3


class BadInput(PrismError):
    """Data or a checkpoint that is damaged, missing or not what it claims to be."""

    exit_code = 4


class ResourcesExhausted(PrismError):
    """Disk or memory ran out; what was saved before is whole."""

    exit_code = 5


class Requeue(PrismError):
    """The work was saved and wants to be started again (Slurm's requeue)."""

    exit_code = 85
