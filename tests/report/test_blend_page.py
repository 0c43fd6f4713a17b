"""Planned blends as a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_prep.blend.plan import plan_blend
from prism.report.blend_page import write_blend_page
from prism.report.forecast import BlendForecast

DOMAINS = {"web": "general", "proofs": "math", "<sums>": "math"}
TOKENS = {"web": 1_000_000, "proofs": 200_000, "<sums>": 50_000}


@pytest.fixture
def page(tmp_path: Path) -> str:
    plan = plan_blend("mix", {"web": 40, "proofs": 50, "<sums>": 10}, TOKENS, DOMAINS, 1_000_000)
    path = tmp_path / "plan.html"
    write_blend_page(path, "run", [BlendForecast(plan, 1_000, ("mid",)), BlendForecast(plan, 1_000, max_epochs=2.2)])
    return path.read_text()


def test_the_page_needs_nothing_outside_of_itself(page: str) -> None:
    assert re.findall(r"""(?:src|href)=["'](?!#|data:)[^"']*|url\(|@import""", page) == []
    assert "prefers-color-scheme: dark" in page


def test_each_blend_has_charts_of_weights_and_epochs_and_its_table(page: str) -> None:
    sections = page.split("<section")[1:]
    assert len(sections) == 2
    for section in sections:
        assert re.findall(r'<svg[^>]*aria-label="([^"]*)"', section) == ["Weight, %", "Epochs"]
        assert "proofs, math: 50.0 %" in section
        assert "proofs, math: 2.50" in section
        cells = re.findall(r"proofs</th>(.*?)</tr>", section)[0]
        values = re.findall(r">([^<>]+)</td>", cells)
        assert values[:4] == ["math", "50.00", "500k", "200k"]
        assert values[5] == "400"


def test_a_refused_blend_says_so_in_words_and_shows_what_would_do(page: str) -> None:
    first, second = page.split("<section")[1:]
    assert "no limit" in first and "refused" not in first
    assert "refused" in second and "2.50 ✗" in second
    assert "proofs: 44  # was 50" in second
    assert "train on at most 880,000 tokens of it, 880 steps" in second
    assert "set data.max_epochs to 2.5" in second


def test_names_are_escaped(page: str) -> None:
    assert "&lt;sums&gt;" in page
    assert "<sums>" not in page
