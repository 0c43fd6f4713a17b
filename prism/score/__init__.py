"""Verifiers and likelihoods: serve RL, evaluation and the retention gate."""

from prism.score.verdict import PromptRow, Verdict
from prism.score.verify import verify

__all__ = ["PromptRow", "Verdict", "verify"]
