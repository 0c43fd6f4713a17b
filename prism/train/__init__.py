"""The training stages: pre-training and mid-training over a locked blend."""

from prism.train.stage import run_training

__all__ = ["run_training"]
