"""Tables 12, 22 and 23: how the weights changed, beside the paper's."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.report.tables import Cell, Table
from prism.report.tables.changes import OF_ROUNDED
from tests.report import made_up_run
from tests.report.tables.conftest import by_number, write_paper_run


def column(table: Table, title: str) -> dict[str, Cell]:
    """Cells of a column by the row's last label."""
    place = [one.title for one in table.columns].index(title)
    return {row.labels[-1]: row.cells[place] for row in table.rows}


def cells(table: Table, change: str, origin: str) -> dict[str, Cell]:
    """Cells of a row of Table 12 by column."""
    (found,) = [row for row in table.rows if row.labels[2] == change and row.labels[3] == origin]
    return {head.title: cell for head, cell in zip(table.columns, found.cells, strict=True)}


def titles(table: Table) -> list[str]:
    return [one.title for one in table.columns]


def test_bf16_exports_are_compared_with_the_paper(paper_tables: dict[int, Table]) -> None:
    change = "Base to MT (base, mid)"
    assert cells(paper_tables[12], change, "paper")["Total"].value == 0.175
    assert cells(paper_tables[12], change, "difference")["Total"].value == pytest.approx(0.2 - 0.175)
    place = titles(paper_tables[22]).index("Base to MT, paper")
    assert [row.cells[place + 1].value for row in paper_tables[22].rows][2] == pytest.approx(4.0 - 3.5)


@pytest.mark.parametrize("number", [12, 22, 23])
def test_other_weights_leave_the_papers_column_with_the_reason(tmp_path: Path, number: int) -> None:
    table = by_number(write_paper_run(tmp_path, dtype="mixed"))[number]
    heads = [*titles(table), *(label for row in table.rows for label in row.labels)]
    assert any("paper" in head for head in heads)
    assert "difference" not in heads
    assert any("the run's mixed" in note and note.startswith("Not compared") for note in table.footnotes)


def test_fp32_weights_are_compared_with_the_paper_after_rounding(tmp_path: Path) -> None:
    made = by_number(write_paper_run(tmp_path, dtype="float32"))
    ours = cells(made[12], "Base to MT (base, mid)", "run")["Sparsity"]
    assert ours.value == pytest.approx(4.0 + 5), "what the analysis has for bf16, not 4.0 for fp32"
    assert cells(made[12], "Base to MT (base, mid)", "difference")["Total"].value == pytest.approx(0.2 - 0.175)
    assert all(OF_ROUNDED in made[number].notes for number in (12, 22, 23))


def test_bf16_tables_say_nothing_of_masters(paper_tables: dict[int, Table]) -> None:
    assert not any("Not compared" in note for number in (12, 22, 23) for note in paper_tables[number].footnotes)
    assert not any(OF_ROUNDED in paper_tables[number].notes for number in (12, 22, 23))


def test_the_paper_of_another_step_or_mixture_is_not_taken(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text().replace("math_code_science", "mine"))
    table = by_number(run)[12]
    assert [row.labels[3] for row in table.rows if row.labels[2].startswith("Base to MT")] == ["run"]
    assert [row.labels[3] for row in table.rows if row.labels[2].startswith("Base to RL")] == [
        "run",
        "paper",
        "difference",
    ]


def test_a_pair_that_was_not_compared_names_its_command(paper_tables: dict[int, Table]) -> None:
    note = "Not measured: `prism analyze RECIPE --stage rl`, with [mid, rl] in analyze.pairs."
    assert all(cell.notes == (note,) for cell in cells(paper_tables[12], "MT to RL (mid, rl)", "run").values())
    for number in (22, 23):
        assert all(cell.notes == (note,) for cell in column(paper_tables[number], "MT to RL (mid, rl), run").values())


def test_figures_in_question_are_footnoted(paper_tables: dict[int, Table]) -> None:
    theirs = cells(paper_tables[12], "Base to MT (base, mid)", "paper")
    assert "3.5 in Table 22" in theirs["Sparsity"].notes[0]
    assert theirs["Attn"].notes == ()


def test_thresholds_are_the_papers_six(paper_tables: dict[int, Table]) -> None:
    assert [row.labels for row in paper_tables[22].rows] == [("0.1",), ("0.5",), ("1",), ("2",), ("5",), ("10",)]
    ours = column(paper_tables[22], "Base to MT (base, mid), run")
    assert [round(cell.value or 0, 1) for cell in ours.values()] == [1.0, 2.6, 4.0, 6.1, 10.5, 15.9]


def test_sub_components_that_the_paper_prints_as_one_are_pooled_by_elements(paper_tables: dict[int, Table]) -> None:
    # Unchanged at 1%: 4.0 x (0.7 + 0.05 x place among the sub-components), of equally many elements each.
    ours = column(paper_tables[23], "Base to MT (base, mid), run")
    assert ours["Mamba: A/dt"].value == pytest.approx(100 - (4 * 0.75 + 4 * 0.80) / 2)
    assert ours["Embed/LM-head"].value == pytest.approx(100 - (4 * 0.90 + 4 * 0.95) / 2)
    assert ours["Attn: Q"].value == pytest.approx(100 - 4 * 0.70)
    assert ours["Attn: V"].value is None


def test_parts_that_neither_the_run_nor_the_paper_has_are_left_out(paper_tables: dict[int, Table]) -> None:
    labels = [row.labels[0] for row in paper_tables[23].rows]
    assert "Mamba: A/dt" in labels
    assert "Mamba: in_proj" not in labels
    assert "MLP: gate" in labels


def test_the_delta_is_rl_from_base_less_rl_after_mid_training(miniature_tables: dict[int, Table]) -> None:
    table = miniature_tables[23]
    from_mid = column(table, "MT to RL (mid, rl), run")["Attn: Q"].value
    from_base = column(table, "Base to RL (no MT) (base, rl_from_base), run")["Attn: Q"].value
    assert from_mid is not None
    assert from_base is not None
    assert column(table, "Delta, run")["Attn: Q"].value == pytest.approx(from_base - from_mid)


def test_a_run_of_another_model_shows_the_papers_as_context(miniature_tables: dict[int, Table]) -> None:
    tables = miniature_tables
    assert "Granite-3.3 (8B), MT to RL, paper" in titles(tables[22])
    assert [title for title in titles(tables[23]) if title.startswith("Nemotron-H")] == [
        f"Nemotron-H-8k (8B), {step}, paper" for step in ("Base to MT", "MT to RL", "Base to RL (no MT)")
    ]
    assert len([row for row in tables[12].rows if row.labels[3] == "paper"]) == 8


def test_the_mamba_column_is_there_when_a_model_has_mamba(tmp_path: Path) -> None:
    assert "Mamba" in titles(by_number(write_paper_run(tmp_path / "hybrid", "nemotron_h_8b"))[12])
    dense = tmp_path / "dense"
    made_up_run.write_recipe(
        dense,
        {
            "run": {"name": "dense"},
            "midtrain": {"blend": "math_code_science"},
            "pipeline": {
                "base": {"stage": "import", "with": {"hub": "meta-llama/Llama-3.1-8B", "path": "anywhere"}},
                "mid": {"stage": "midtrain", "from": "base"},
            },
        },
    )
    made_up_run.write_weights(dense, "base", "mid", 0.2, 4.0, {"attention.q": 0.1, "mlp.up": 0.3})
    table = by_number(dense)[12]
    assert titles(table) == ["Attn", "MLP", "Total", "Sparsity"]
    # Table 12 has no LLaMA-3.1: the run stands alone.
    assert [row.labels for row in table.rows] == [("LLaMA-3.1 (8B)", "MCS", "Base to MT (base, mid)", "run")]


def test_pairs_that_the_paper_does_not_have_are_shown_last(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    made_up_run.write_weights(run, "base", "rl", 0.2, 4.0, dtype="bfloat16")
    last = by_number(run)[12].rows[-1]
    assert last.labels == ("Granite-3.3 (8B)", "-", "other (base, rl)", "run")
