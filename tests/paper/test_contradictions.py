"""The list of contradictions is whole: it holds what the tables show, and nothing that they don't."""

from __future__ import annotations

import pytest

from prism.paper import Contradiction, contradictions, disputes, paper_table, paper_tables

ALIKE = {"context": "8k", "when": "after_long_context", "rl": "none"}
"""Labels of one table that say what another doesn't mention."""

ONE = "1"
"""Table 22's column of the threshold at which Table 12 counts."""


def cells(one: Contradiction) -> set[tuple[int, str, float]]:
    return {(cell.table, cell.column, cell.value) for cell in one.figures}


def differing() -> dict[tuple[str, str], set[tuple[int, str, float]]]:
    """Figures that several tables give of the same thing and not alike, by model and column."""
    seen: dict[tuple[str, tuple[tuple[str, str], ...], str], set[tuple[int, str, float]]] = {}
    for number, table in paper_tables().items():
        for row in table.rows:
            labels = tuple(sorted((key, value) for key, value in row.at.items() if ALIKE.get(key) != value))
            for column in table.columns:
                value = table.value(row, column)
                if value is not None:
                    # CKA and benchmark share the name of a data set
                    name = f"cka of {column}" if number == 14 else column
                    seen.setdefault((row.model, labels, name), set()).add((number, column, value))
    return {
        (model, column): figures
        for (model, _, column), figures in seen.items()
        if len({value for _, _, value in figures}) > 1
    }


def test_figures_that_differ_between_tables_are_exactly_those_listed() -> None:
    found = differing()
    assert set(found) == {
        ("granite_3_3_8b", "math_avg"),
        *(("granite_4_micro", name) for name in ("lcb", "cf", "gpqa_d", "aime24", "aime25", "math500")),
    }
    listed = [cells(one) for one in contradictions().values()]
    assert all(figures in listed for figures in found.values())


@pytest.mark.parametrize("name", contradictions())
def test_every_listed_figure_is_in_its_table(name: str) -> None:
    one = contradictions()[name]
    for cell in (*one.figures, *one.inputs):
        table = paper_table(cell.table)
        row = table.row(cell.model, **cell.at)
        assert row is not None
        assert table.value(row, cell.column) == cell.value


@pytest.mark.parametrize("name", contradictions())
def test_every_contradiction_has_two_sides(name: str) -> None:
    one = contradictions()[name]
    places = {cell.table for cell in (*one.figures, *one.inputs)}
    assert len(places) + len(one.statements) >= 2


@pytest.mark.parametrize(
    "name",
    [
        "nemotron_science_gain",
        "llama_science_gain_through_rl",
        "mistral_science_gain_through_rl",
        "granite_code_gain_through_rl",
        "llama_rl_gain",
    ],
)
def test_a_gain_is_recomputed_from_its_inputs(name: str) -> None:
    one = contradictions()[name]
    before, after = one.inputs
    assert one.recomputed == pytest.approx(after.value - before.value)


def test_the_share_that_table_12_gives_of_the_model_is_the_attentions() -> None:
    table = paper_table(23)
    row = table.row("granite_3_3_8b", change="base_to_mid")
    assert row is not None
    # Granite-3.3: 32 heads, 8 groups of keys and values; so much of the attention's elements each holds.
    share = {"attention.q": 0.4, "attention.k": 0.1, "attention.v": 0.1, "attention.o": 0.4}
    changed = sum(weight * (table.value(row, name) or 0) for name, weight in share.items())
    overall = paper_table(12).row("granite_3_3_8b", midtrain="math_code_science", change="base_to_mid")
    thresholds = paper_table(22).row("granite_3_3_8b", change="base_to_mid")
    assert overall is not None
    assert thresholds is not None
    assert 100 - changed == pytest.approx(paper_table(12).value(overall, "unchanged"), abs=0.05)
    assert paper_table(22).value(thresholds, ONE) == 3.5


def test_the_tokens_give_the_batch() -> None:
    sequences = 26.21e9 / 25_000 / 8_192
    assert contradictions()["batch_size"].recomputed == pytest.approx(sequences, rel=0.001)


def test_a_figure_in_question_says_so_and_an_input_does_not() -> None:
    table = paper_table(19)
    row = table.row("granite_3_3_8b", midtrain="math_code")
    assert row is not None
    (found,) = disputes(19, row, "math_avg")
    assert found.told() == (
        "the paper disagrees with itself on Granite-3.3's Math Avg after math_code: 44.99 in Table 5, "
        "44.99 in Table 7, 44.99 in Table 11, 44.33 in Table 19; recomputed 45"
    )
    assert disputes(19, row, "code_avg") == ()
    base = paper_table(6).row("nemotron_h_8b", midtrain="none")
    assert base is not None
    assert disputes(6, base, "gpqa_d") == ()
