"""The tables of docs/blends.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import DataError
from prism.report.blend_tables import paper_forecast, with_tables
from prism.report.paper_blends import PAPER_BLENDS, PaperBlend

PAGE = Path(__file__).parents[2] / "docs" / "blends.md"
BY_NAME = {paper.name: paper for paper in PAPER_BLENDS}


def test_the_committed_page_is_what_the_code_makes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text, str(PAGE)) == text


def test_a_page_without_a_place_for_the_tables_is_refused() -> None:
    with pytest.raises(DataError, match=r"^page\.md: the page has no place for the tables"):
        with_tables("# Blends\n", "page.md")


@pytest.mark.parametrize("paper", PAPER_BLENDS, ids=lambda paper: paper.name)
def test_the_packaged_mixtures_have_the_papers_sources_weights_and_sum(paper: PaperBlend) -> None:
    planned = {source.name: source.weight_percent for source in paper_forecast(paper).plan.sources}
    assert planned.keys() == paper.weights.keys()
    assert planned == pytest.approx(paper.weights, abs=0.01)
    assert sum(planned.values()) == pytest.approx(100)


@pytest.mark.parametrize("name", ["math", "math_code", "math_code_science"])
def test_the_cards_expect_the_tokens_of_table_1(name: str) -> None:
    for source in paper_forecast(BY_NAME[name]).plan.sources:
        assert source.available / 1e9 == pytest.approx(BY_NAME[name].tokens[source.name])


def test_the_budgets_are_the_papers() -> None:
    budgets = {paper.name: paper_forecast(paper).plan.budget_tokens for paper in PAPER_BLENDS}
    assert budgets == {
        **dict.fromkeys(["math", "math_code", "math_code_science"], 25_000 * 128 * 8_192),
        "long_context": 1_000 * 36 * 131_072,
    }


def test_the_small_reasoning_sets_are_repeated_three_and_four_times() -> None:
    epochs = {
        (name, source.name): round(source.epochs, 1)
        for name, paper in BY_NAME.items()
        for source in paper_forecast(paper).plan.sources
    }
    assert epochs["math_code_science", "mot_science"] == 3.0
    assert epochs["math_code_science", "openthoughts3_science"] == 2.8
    assert epochs["math_code", "mot_math"] == 4.4
