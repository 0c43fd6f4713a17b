"""The report of a run, or of several beside each other: one HTML page that opens offline; summary.json."""

from prism.report.claims import ClaimResult, evaluate_claims
from prism.report.compare import write_comparison
from prism.report.page import write_report
from prism.report.results import Results, load_results
from prism.report.summary import write_summary

__all__ = [
    "ClaimResult",
    "Results",
    "evaluate_claims",
    "load_results",
    "write_comparison",
    "write_report",
    "write_summary",
]
