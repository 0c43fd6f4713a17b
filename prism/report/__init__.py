"""The report: one HTML page that joins blend, training, evaluation, RL and mechanism; and summary.json."""

from prism.report.write import write_report

__all__ = ["write_report"]
