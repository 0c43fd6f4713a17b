"""Keeps evaluation questions out of training data."""

from data_prep.decontaminate.index import DecontaminationIndex, Match
from data_prep.decontaminate.questions import EvaluationQuestion, read_questions
from data_prep.decontaminate.step import Decontaminate, PreparedIndex, prepare_index, summarise

__all__ = [
    "Decontaminate",
    "DecontaminationIndex",
    "EvaluationQuestion",
    "Match",
    "PreparedIndex",
    "prepare_index",
    "read_questions",
    "summarise",
]
