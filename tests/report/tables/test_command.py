"""`prism report RUN --tables`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from prism.cli import app
from prism.errors import UsageError
from prism.report.tables import TABLES, Table, latex, markdown


def report(run: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["report", str(run), *options])


def test_all_tables_are_printed_and_the_report_stays(paper_run: Path, paper_tables: dict[int, Table]) -> None:
    result = report(paper_run, "--tables")
    assert result.exit_code == 0
    assert result.output == "\n".join(markdown(paper_tables[number]) for number in TABLES)
    assert not (paper_run / "report.html").exists()


def test_some_tables_in_latex(paper_run: Path, paper_tables: dict[int, Table]) -> None:
    result = report(paper_run, "--tables", "--format", "latex", "--only", "12,6")
    assert result.output == f"{latex(paper_tables[6])}\n{latex(paper_tables[12])}"


def test_tables_go_to_a_folder(paper_run: Path, tmp_path: Path, paper_tables: dict[int, Table]) -> None:
    result = report(paper_run, "--tables", "--only", "15", "--out", str(tmp_path / "new"))
    assert result.output.split() == [str(tmp_path / "new" / "table_15.md")]
    assert (tmp_path / "new" / "table_15.md").read_text() == markdown(paper_tables[15])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--tables", "--only", "6,7"], "no Table 7.*6, 11, 12, 15, 22, 23"),
        (["--tables", "--only", "six"], "six isn't a list of numbers"),
        (["--only", "6"], "--only goes with --tables"),
        (["--format", "latex"], "--format goes with --tables"),
    ],
)
def test_a_wrong_option_is_named(paper_run: Path, options: list[str], problem: str) -> None:
    result = report(paper_run, *options)
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    with pytest.raises(UsageError, match=problem):
        raise result.exception
