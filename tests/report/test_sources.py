"""Every figure of the page leads to files that are in its list, with the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prism.report import write_report
from tests.report import made_up_run
from tests.report.tables.conftest import write_paper_run
from tests.report.test_page import SECTIONS


class Traces(HTMLParser):
    """The files that each figure and section links to, and the hashes of the list of artifacts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.figures: dict[str, list[str]] = {}
        self.sections: dict[str, list[str]] = {}
        self.hashes: dict[str, str] = {}
        self._section = ""
        self._figure: list[str] | None = None
        self._title: str | None = None
        self._file: str | None = None
        self._in_code = False
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "section":
            self._section = given["id"] or ""
        elif tag == "figure":
            self._figure, self._title = [], ""
        elif tag == "a" and (given.get("href") or "").startswith("#file/"):
            path = str(given["href"]).removeprefix("#file/")
            self.sections.setdefault(self._section, []).append(path)
            if self._figure is not None:
                self._figure.append(path)
        elif tag == "tr":
            self._file = str(given["id"]).removeprefix("file/") if "id" in given else None
        self._in_code = tag == "code"

    def handle_data(self, data: str) -> None:
        if self._title == "" and data.strip():
            self._title = data.strip()
        if self._file is not None and self._in_code:
            self.hashes[self._file] = data

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False
        if tag == "figure":
            assert self._figure is not None
            self.figures[f"{self._section}: {self._title}"] = self._figure
            self._figure = self._title = None


@pytest.fixture(scope="module")
def traces(miniature_run: Path) -> Traces:
    return Traces(miniature_run / "report.html")


def test_every_figure_has_a_source(traces: Traces) -> None:
    assert len(traces.figures) > 40
    assert [name for name, files in traces.figures.items() if not files] == []


def test_every_source_is_in_the_list_with_the_hash_of_its_bytes(traces: Traces, miniature_run: Path) -> None:
    named = {path for files in traces.figures.values() for path in files}
    assert named <= set(traces.hashes)
    for path in named:
        assert traces.hashes[path] == hashlib.sha256((miniature_run / path).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("figure", "files"),
    [
        ("training: Loss by source: mid", ["stages/mid/metrics.jsonl"]),
        ("time: Time of each stage", ["manifest.json"]),
        ("weights: Relative change by part and layer, mid → rl", ["analysis/weights/mid__rl.json"]),
        ("weights: Distance from the start, along training", ["analysis/trajectory/rl.json"]),
    ],
)
def test_a_figure_names_what_it_was_read_from_and_nothing_else(traces: Traces, figure: str, files: list[str]) -> None:
    assert traces.figures[figure] == files


def test_tables_without_a_figure_name_their_files_too(traces: Traces) -> None:
    for section, path in (
        ("blends", "data/blends/math.lock.json"),
        ("samples", "stages/rl/evaluate/miniature_math.samples.jsonl"),
        ("weights", "analysis/relations/base__rl_from_base.mid__rl.json"),
    ):
        assert path in traces.sections[section]


def test_every_section_but_the_recipe_and_the_list_itself_names_files(traces: Traces) -> None:
    assert [one for one in SECTIONS if one not in traces.sections and one not in ("recipe", "artifacts")] == []


def test_the_papers_benchmarks_name_theirs(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path / "my_run")
    made_up_run.write_harness(run, "base", "general_winogrande", {"acc": 0.5})
    found = Traces(write_report(run))
    assert [name for name, files in found.figures.items() if not files] == []
    assert "stages/base/evaluate/general_winogrande.json" in found.figures["evaluation: Tasks of lm-evaluation-harness"]
