"""Evaluation: tasks as versioned YAML, sampled and greedy generation, likelihoods, bits per byte."""

from prism.evaluate.runner import run_evaluation

__all__ = ["run_evaluation"]
