"""The two renderings of one table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prism.report.reading import Artifact
from prism.report.tables import Cell, Column, Row, Table, latex, markdown, write_tables
from prism.report.tables.latex import escaped

ENVIRONMENTS = re.compile(r"\\(begin|end)\{(\w+)\}")


SOURCE = Artifact("a_b.json", 2, "0" * 64)


def small(**changes: object) -> Table:
    values: dict[str, object] = {
        "number": 6,
        "title": "Before & after",
        "heads": ("Model", "From"),
        "columns": (Column("LCB", "percent", 2), Column("100% of_it", "percent", 1)),
        "rows": (
            Row(("a|b_c", "run"), (Cell(12.345, 10, 14.5, sources=(SOURCE,)), Cell(notes=("why",)))),
            Row(("a|b_c", "paper"), (Cell(13), Cell(2.5, notes=("how", "why")))),
            Row(("other", "difference"), (Cell(-0.655), Cell(0.0)), signed=True),
        ),
        "notes": ("Use `prism eval --stage mid_1` for 5% of it.",),
        **changes,
    }  # fmt: skip
    return Table(**values)  # type: ignore[arg-type]


def markdown_rows(text: str) -> list[list[str]]:
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]


def test_markdown_has_value_interval_and_footnote_in_a_cell() -> None:
    text = markdown(small())
    assert "| a\\|b_c | run | 12.35 [10.00, 14.50] | - [a] |" in text
    assert "| a\\|b_c | paper | 13.00 | 2.5 [a,b] |" in text
    assert "| other | difference | -0.66 | 0.0 |" in text
    assert "- [a] why\n- [b] how\n" in text
    assert "- `a_b.json` (sha256 `000000000000`)" in text
    assert "Figures in %." in text


def test_latex_escapes_what_is_special_and_sets_code_apart() -> None:
    text = latex(small())
    assert r"\caption{Before \& after (Table 6 of the paper). In \%.}" in text
    assert r"a\textbar{}b\_c & run & 12.35 {\scriptsize [10.00, 14.50]} & -\textsuperscript{a} \\" in text
    assert r"other & difference & $-$0.66 & 0.0 \\" in text
    assert r"Use \texttt{prism eval -{}-stage mid\_1} for 5\% of it.\par" in text
    assert escaped("~^\\<>{$}#") == (
        r"\textasciitilde{}\textasciicircum{}\textbackslash{}\textless{}\textgreater{}\{\$\}\#"
    )


def test_groups_of_rows_are_set_apart() -> None:
    lines = latex(small()).splitlines()
    assert (
        lines.index(r"\addlinespace") == next(place for place, line in enumerate(lines) if line.startswith("other")) - 1
    )


def test_units_that_differ_are_in_the_headings() -> None:
    table = small(columns=(Column("Length", "tokens", 0), Column("NLL", "nats", 3)))
    assert "| Model | From | Length, tokens | NLL, nats a token |" in markdown(table)
    assert "Figures in" not in markdown(table)


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="the row x doesn't fit the columns"):
        small(rows=(Row(("x",), (Cell(1.0), Cell(2.0))),))


def test_footnotes_go_on_after_z() -> None:
    cells = tuple(Cell(notes=(f"note {number}",)) for number in range(28))
    table = small(
        columns=tuple(Column(str(number), "percent", 1) for number in range(28)), rows=(Row(("x", "y"), cells),)
    )
    assert (table.mark("note 25"), table.mark("note 26"), table.mark("note 27")) == ("z", "aa", "ab")


@pytest.mark.parametrize("number", [6, 11, 12, 15, 22, 23])
@pytest.mark.parametrize("tables", ["paper_tables", "miniature_tables"])
def test_every_table_is_whole_in_both_formats(number: int, tables: str, request: pytest.FixtureRequest) -> None:
    table = request.getfixturevalue(tables)[number]
    columns = len(table.heads) + len(table.columns)
    rows = markdown_rows(markdown(table))
    assert {len(row) for row in rows} == {columns}
    assert len(rows) == 2 + len(table.rows)

    text = latex(table)
    layout = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert layout is not None
    assert len(layout[1]) == columns
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in body} == {columns}
    assert len(body) == 1 + len(table.rows)
    opened: list[str] = []
    for kind, name in ENVIRONMENTS.findall(text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[{}]", "", code)
    assert bare.count("{") == bare.count("}")
    assert re.findall(r"(?<!\\)[%#_^~]", code) == []
    assert code.count("$") % 2 == 0


@pytest.mark.parametrize("number", [6, 11, 12, 15, 22, 23])
def test_footnotes_in_the_table_are_those_below_it(number: int, paper_tables: dict[int, Table]) -> None:
    table = paper_tables[number]
    text = markdown(table)
    used = {mark for group in re.findall(r"\[([a-z,]+)\](?= \|)", text) for mark in group.split(",")}
    below = set(re.findall(r"^- \[([a-z]+)\] ", text, re.MULTILINE))
    assert used == below != set()


def test_tables_are_written_a_file_each(paper_tables: dict[int, Table], tmp_path: Path) -> None:
    made = [paper_tables[6], paper_tables[12]]
    assert [path.name for path in write_tables(made, tmp_path, "latex")] == ["table_06.tex", "table_12.tex"]
    assert (tmp_path / "table_12.tex").read_text() == latex(made[1])
    assert [path.name for path in write_tables(made[:1], tmp_path, "markdown")] == ["table_06.md"]
