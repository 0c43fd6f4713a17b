"""`data.decontamination`: evaluation questions that training data must not contain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_prep.schema.base import Section


class EvaluationSet(Section):
    """Questions of one evaluation set."""

    path: str = Field(description="File, folder or glob of the set.")
    reader: Literal["auto", "jsonl", "parquet", "arrow"] = Field("auto", description="File format, as for sources.")
    question: str = Field("question", description="Column of the question.")
    answer: str | None = Field(None, description="Column of the answer, for the report; null leaves it out.")


class DecontaminationConfig(Section):
    """Documents that hold a question of these sets, or a run of words of one, are dropped and reported."""

    sets: dict[str, EvaluationSet] = Field(default_factory=dict, description="Evaluation sets by name.")
    ngram: int = Field(13, ge=5, le=50, description="Words in a row that a document may not share with a question.")
