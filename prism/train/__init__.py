"""Where weights come from: published ones, pre-training and mid-training over a locked blend."""

from prism.train.published import run_import
from prism.train.stage import run_training

__all__ = ["run_import", "run_training"]
