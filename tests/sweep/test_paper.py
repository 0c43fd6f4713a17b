"""What the packaged sweeps say of the paper is what the paper's tables hold."""

from __future__ import annotations

import pytest

from prism.errors import RecipeError
from prism.paper import paper_table
from prism.recipe.schema.sweep import PaperConfig
from prism.recipe.sweeps import load_sweep
from prism.sweep.paper import with_rows


def lines(sweep: str) -> dict[str, dict[str, float]]:
    paper = with_rows(load_sweep(sweep).config.paper)
    assert paper is not None
    return paper.lines


@pytest.mark.parametrize("prefix", ["", "miniature_"])
def test_the_ablations_stand_beside_the_papers_rows(prefix: str) -> None:
    when = lines(f"{prefix}when")
    assert {name: line["MATH500"] for name, line in when.items()} == {
        "after phase 3": 65.88,
        "after phase 4": 61.70,
        "after long context": 77.44,
    }
    length = lines(f"{prefix}context_length")
    assert {name: line["GPQA-D"] for name, line in length.items()} == {
        "base": 21.55,
        "8k": 34.34,
        "16k": 38.89,
        "32k": 39.89,
    }
    budget = lines(f"{prefix}token_budget")
    assert {name: line["Math Avg"] for name, line in budget.items()} == {
        "base": 26.28,
        "10.49B": 40.21,
        "15.73B": 42.07,
        "26.21B": 42.22,
        "31.46B": 42.42,
    }


def test_long_context_restored_is_that_of_table_7() -> None:
    table = paper_table(7)
    ruler = {row.at.get("long_context", row.at["midtrain"]): table.value(row, "ruler_128k") for row in table.rows}
    assert lines("miniature_long_context")["miniature"] == {
        "base": ruler["none"],
        "mid-trained": ruler["math_code"],
        "merged": ruler["merge"],
        "extended, not merged": ruler["full"],
        "merged, attention extended": ruler["merge_attention"],
        "merged, extended": ruler["merge_full"],
    }


def test_lines_of_a_sweeps_own_stay() -> None:
    paper = with_rows(PaperConfig(table="Table 8", rows=8, lines={"mine": {"LCB": 1.0}}))
    assert paper is not None
    assert [*paper.lines] == ["base", "8k", "16k", "32k", "mine"]
    assert with_rows(None) is None


def test_no_row_of_a_table_of_several_models_is_lost() -> None:
    paper = with_rows(PaperConfig(table="Table 11", rows=11))
    assert paper is not None
    assert len(paper.lines) == 21
    assert paper.lines["granite_3_3_8b, math_code_science, math_code"]["AVG"] == 41.76


@pytest.mark.parametrize("number", [1, 12])
def test_a_table_without_benchmarks_is_refused(number: int) -> None:
    with pytest.raises(
        RecipeError, match=rf"paper.rows: no Table {number} of benchmarks.* 3, 4, 5, 6, 8, 9, 11, 19, 20"
    ):
        with_rows(PaperConfig(table="none", rows=number))
