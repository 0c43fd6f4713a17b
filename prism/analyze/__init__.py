"""What training did to a model: change of weights, similarity of representations."""

from prism.analyze.run import run_analysis

__all__ = ["run_analysis"]
