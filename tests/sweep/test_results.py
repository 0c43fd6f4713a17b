"""Table, files and page of a sweep, from figures made up for the test."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest

from prism.recipe.schema.sweep import PaperConfig
from prism.sweep.figures import Reading
from prism.sweep.page import page, write_page
from prism.sweep.results import MemberFigures, RunFigures, SweepResults, spread
from prism.sweep.write import as_csv, as_json, as_markdown, write_files

VALUES = {"few": {1: 20.0, 2: 26.0}, "many": {1: 40.0, 2: None}}


def made_up(directory: Path, x: dict[str, float | str | None]) -> SweepResults:
    members = []
    for name, by_seed in VALUES.items():
        runs = tuple(
            RunFigures(
                seed,
                directory / f"{name}-seed{seed}",
                {"solved": Reading(value, "" if value is not None else "mid isn't finished")},
            )
            for seed, value in by_seed.items()
        )
        known = [value for value in by_seed.values() if value is not None]
        members.append(MemberFigures(name, x[name], runs, {"solved": spread(known)}))
    paper = PaperConfig(table="Table 9", finding="More is better, <at first>.", lines={"10B": {"MATH500": 65.88}})
    return SweepResults(
        "budget", "Token budget", "What & why", "miniature", directory, {"solved": "%"}, "tokens", False,
        tuple(members), paper,
    )  # fmt: skip


def test_spread_is_the_sample_standard_deviation() -> None:
    found = spread([20.0, 26.0])
    assert (found.mean, found.least, found.most, found.runs) == (23.0, 20.0, 26.0, 2)
    assert found.deviation == pytest.approx(18**0.5)
    assert spread([4.0]).deviation is None


def test_the_table_has_mean_and_deviation_what_is_missing_and_the_papers_figures(tmp_path: Path) -> None:
    text = as_markdown(made_up(tmp_path, {"few": 1000, "many": 2000}))
    assert "| member | tokens | solved, % |" in text
    assert "| few | 1,000 | 23.0 ± 4.2 |" in text
    assert "| many | 2,000 | 40.0 |" in text
    assert "- many-seed2: mid isn't finished" in text
    assert "| 10B | 65.88 |" in text


def test_csv_has_a_line_for_every_run_and_figure(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(made_up(tmp_path, {"few": 1, "many": 2})))))
    assert [(row["member"], row["seed"], row["value"]) for row in rows] == [
        ("few", "1", "20.0"), ("few", "2", "26.0"), ("many", "1", "40.0"), ("many", "2", ""),
    ]  # fmt: skip


def test_json_tells_values_from_reasons(tmp_path: Path) -> None:
    results = made_up(tmp_path, {"few": 1, "many": 2})
    many = as_json(results)["members"][1]
    assert many["figures"]["solved"]["runs"] == 1
    assert many["runs"][1]["figures"] == {"solved": None}
    assert many["runs"][1]["missing"] == {"solved": "mid isn't finished"}
    assert [path.name for path in write_files(results)] == ["sweep.json", "sweep.csv", "sweep.md"]


@pytest.mark.parametrize(
    ("x", "kind"), [({"few": 1000, "many": 2000}, "lines"), ({"few": "base", "many": "other"}, "dots")]
)
def test_the_page_plots_numbers_as_curves_and_words_as_dots(
    tmp_path: Path, x: dict[str, float | str | None], kind: str
) -> None:
    results = made_up(tmp_path, x)
    (figure,) = page(results).figures
    assert ElementTree.fromstring(str(figure.svg)).attrib["class"] == f"chart {kind}"
    text = write_page(results).read_text()
    assert "More is better, &lt;at first&gt;." in text and "What &amp; why" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")
