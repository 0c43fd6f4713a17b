"""Settings of a task's `rows`: which published form its data has, and what is made of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Rows(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MathRows(_Rows):
    """Problems with one answer: MATH-500 and the AIME, by any of their mirrors' names of columns."""

    kind: Literal["math"]
    instruction: str = Field(
        "Please reason step by step, and put your final answer within \\boxed{}.",
        description="A line below the problem, unless that asks for a box itself.",
    )
    integers: bool = Field(False, description="Every answer is a whole number: 033 is written 33.")


class GpqaRows(_Rows):
    """GPQA: a question, its right answer and three wrong ones, put in an order drawn for the question."""

    kind: Literal["gpqa"]
    seed: int = Field(42, ge=0, description="Of the order of the options, together with the question.")


class HumanEvalRows(_Rows):
    """HumanEval: a function to complete, from its signature and docstring."""

    kind: Literal["humaneval"]
    seconds: float = Field(3.0, gt=0, description="CPU time of a solution's tests, in seconds.")
    memory_bytes: int = Field(1 << 30, gt=0, description="Address space of a solution.")


class LiveCodeBenchRows(_Rows):
    """LiveCodeBench's code generation: problems of contests within a window of dates, both days included."""

    kind: Literal["livecodebench"]
    first: date = Field(description="First day of the window, by the contest's date.")
    last: date = Field(description="Last day of the window.")
    seconds: float = Field(6.0, gt=0, description="CPU time of each test, in seconds.")
    memory_bytes: int = Field(4 << 30, gt=0, description="Address space of a program.")

    @model_validator(mode="after")
    def _window_is_one(self) -> LiveCodeBenchRows:
        if self.first > self.last:
            raise ValueError("first must not be after last")
        return self


class CodeforcesRows(_Rows):
    """Codeforces problems with their official tests; time and memory are each problem's own."""

    kind: Literal["codeforces"]
    incomplete: Literal["skip", "keep"] = Field(
        "keep", description="Problems of which some official tests were too long to be published."
    )
    checkers: Literal["skip", "compare"] = Field(
        "skip",
        description="Problems with several right outputs, which a checker program judges: such programs aren't run "
        "here; compare takes the published output as the only right one.",
    )
    interpreter_bytes: int = Field(
        256 << 20, ge=0, description="Address space for Python itself, beyond the problem's memory limit."
    )


RowsSettings = Annotated[
    MathRows | GpqaRows | HumanEvalRows | LiveCodeBenchRows | CodeforcesRows, Field(discriminator="kind")
]
