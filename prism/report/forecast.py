"""A planned blend with what surrounds it: the steps it is planned for, and whether it is let through."""

from __future__ import annotations

from dataclasses import dataclass

from data_prep.blend.plan import BlendPlan, PlannedSource, refusal, step_at
from data_prep.blend.remedies import Refusal


@dataclass(frozen=True)
class BlendForecast:
    """A blend at the budget of the `stages` that use it. `pack` is the length of its packs, None where documents are
    concatenated; `max_epochs` is None where any number of epochs is allowed.
    """

    plan: BlendPlan
    tokens_per_step: int
    stages: tuple[str, ...] = ()
    pack: int | None = None
    max_epochs: float | None = None

    @property
    def steps(self) -> int:
        return step_at(self.plan.budget_tokens, self.tokens_per_step)

    @property
    def refusal(self) -> Refusal | None:
        return refusal(self.plan, self.max_epochs)

    def repeats_too_often(self, source: PlannedSource) -> bool:
        return self.max_epochs is not None and source.epochs > self.max_epochs

    def first_epoch_step(self, source: PlannedSource) -> int | None:
        """The step in which the source's first epoch ends; None if it never does."""
        end = self.plan.first_epoch_ends(source)
        return None if end is None else step_at(end, self.tokens_per_step)

    @property
    def title(self) -> str:
        return self.plan.blend + (f", packed at {self.pack:,}" if self.pack else "")

    @property
    def used_by(self) -> str:
        return f"for {', '.join(self.stages)}" if self.stages else "no stage uses it: midtrain's budget"

    @property
    def verdict(self) -> str:
        """In a sentence."""
        most = max(self.plan.sources, key=lambda source: source.epochs)
        if self.max_epochs is None:
            return f"Any number of epochs is allowed (data.max_epochs isn't set); most are {_of(most)}."
        refused = self.refusal
        if refused is None:
            return f"No source is seen more than {self.max_epochs:g} times (data.max_epochs); most are {_of(most)}."
        return f"Refused: {refused.message}."


def _of(source: PlannedSource) -> str:
    return f"{source.epochs:.2f}, of {source.name}"
