"""`retention`: the gate that watches base skill while a stage trains. What it asks and how: docs/retention_gate.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class TextMeasure(Section):
    """Likelihood of held-out text, compared document by document; loss is the rise of bits per byte in percent."""

    kind: Literal["text"] = Field("text", description="Bits per byte of held-out documents.")
    sources: tuple[str, ...] = Field(
        (),
        description="Sources whose held-out documents are read (data.sources.NAME.holdout). Empty, and no path: those "
        "of domain general that the stage it starts from saw; after published weights, of all sources.",
    )
    path: str | None = Field(None, description="JSON lines, in place of sources; `world/...` lies in the data folder.")
    text: str = Field("text", description="Column of the text, with path.")
    each: Literal["all", "domain", "source"] = Field(
        "all", description="One figure over all sources, or one for each domain or source, named NAME/DOMAIN."
    )
    documents: int = Field(512, ge=50, description="Documents of a figure, drawn at random; fewer if there are fewer.")
    document_tokens: int = Field(
        1_024, gt=0, description="Tokens that are read of a document, from its beginning; at most sequence_length."
    )
    given_tokens: int = Field(
        16,
        ge=0,
        description="Of these, tokens that are given and not predicted: they tell what kind of document it is, which "
        "follows the blend's shares and no skill. Shorter documents are left out.",
    )
    tolerance_percent: float = Field(2.0, ge=0, description="Rise of bits per byte that is allowed, in percent.")
    transient_percent: float = Field(
        2.0,
        ge=0,
        description="Further rise that is allowed at the first step, shrinking evenly to none at the last: what a high "
        "learning rate costs and its decay brings back.",
    )


class ChoiceMeasure(Section):
    """Multiple choice by likelihood, compared question by question; loss is the fall of the mean score in points."""

    kind: Literal["choice"] = Field("choice", description="Likelihood of a question's options.")
    path: str = Field(description="JSON lines; `world/...` lies in the run's data folder.")
    context: str = Field("context", description="Column of the context.")
    choices: str = Field("choices", description="Column of the options, a list.")
    answer: str = Field("answer", description="Column of the right option's index.")
    as_prompt: bool = Field(False, description="The context is a question: end it as a prompt.")
    questions: int = Field(512, ge=50, description="Questions, drawn at random; fewer if there are fewer.")
    question_tokens: int = Field(
        256, gt=1, description="Questions whose context and longest option have more tokens are left out."
    )
    score: Literal["probability", "accuracy"] = Field(
        "probability",
        description="probability of the right option among the options, which moves before answers flip; accuracy: "
        "whether the right option is the likeliest.",
    )
    tolerance_points: float = Field(2.0, ge=0, description="Fall of the mean score that is allowed, in points of 100.")
    transient_points: float = Field(2.0, ge=0, description="As transient_percent: further fall allowed at first.")


Measure = Annotated[TextMeasure | ChoiceMeasure, Field(discriminator="kind")]


class RetentionConfig(Section):
    """Measures base skill, compares it with the model's that the stage started from, and acts when it is lost."""

    every_steps: int | None = Field(
        None, gt=0, description="Steps from one look to the next, and after the last step; null means 2% of the steps."
    )
    measures: dict[str, Measure] = Field(
        default_factory=dict, description="What is measured, by name. Empty: one text measure with its defaults."
    )
    false_alarm_rate: float = Field(
        0.01, gt=0, le=0.2, description="Most chance that a run without a loss beyond tolerance ever raises an alarm."
    )
    spending: Literal["linear", "obrien_fleming"] = Field(
        "linear",
        description="How much of the rate may be spent by a share of the steps: evenly, or little early and most "
        "towards the end.",
    )
    action: Literal["warn", "stop", "switch"] = Field(
        "stop",
        description="warn: say so and go on. stop: leave with exit code 3 at the last good checkpoint. switch: go on "
        "with the blend switch_to.",
    )
    switch_to: str | None = Field(None, description="With switch: blend with more general data, one of data.blends.")
    after_switch: Literal["warn", "stop"] = Field("stop", description="With switch: what a further loss leads to.")

    def interval(self, steps: int) -> int:
        """Steps from one look to the next, in a stage of `steps`."""
        return min(self.every_steps or max(1, steps // 50), steps)

    def looks(self, steps: int) -> list[int]:
        """Steps after which the gate looks."""
        every = self.interval(steps)
        return [*range(every, steps, every), steps]

    def planned_measures(self) -> dict[str, TextMeasure | ChoiceMeasure]:
        """The recipe's measures, or the default one."""
        return dict(self.measures) or {"general": TextMeasure()}
