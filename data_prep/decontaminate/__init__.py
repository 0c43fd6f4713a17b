"""Keeps evaluation questions out of training data."""

from data_prep.decontaminate.index import QuestionIndex
from data_prep.decontaminate.questions import EvaluationQuestion, read_questions
from data_prep.decontaminate.search import Match, Search
from data_prep.decontaminate.step import Decontaminate, PreparedIndex, prepare_index, summarise

__all__ = [
    "Decontaminate",
    "EvaluationQuestion",
    "Match",
    "PreparedIndex",
    "QuestionIndex",
    "Search",
    "prepare_index",
    "read_questions",
    "summarise",
]
