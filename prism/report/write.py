"""Writes report.html and summary.json."""

from __future__ import annotations

from pathlib import Path

from data_prep.files import write_text
from prism.report.claims import check_claims, write_summary
from prism.report.page import render_page
from prism.report.results import load_results


def write_report(run_directory: Path) -> Path:
    """Writes both files from what the run has so far; returns the page's path.

    Raises:
        BadInput: there is no run in the folder, or one of its files is damaged.
        RecipeError: a claim names something that doesn't exist.
    """
    results = load_results(run_directory)
    claims = check_claims(results)
    write_summary(results, claims, run_directory / "summary.json")
    page = run_directory / "report.html"
    write_text(page, render_page(results, claims))
    return page
