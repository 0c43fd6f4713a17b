"""The page."""

from __future__ import annotations

from prism.report.claims import CheckedClaim
from prism.report.results import RunResults


def render_page(results: RunResults, claims: list[CheckedClaim]) -> str:
    rows = "".join(f"<tr><td>{c.name}<td>{c.value}<td>{c.threshold}<td>{c.holds}" for c in claims)
    return f"<!doctype html><title>{results.name}</title><table>{rows}</table>"
