"""axe-core over the report, light and dark, wide and narrow: nothing serious."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from prism.report import write_comparison, write_report
from tests.report import made_up_run
from tests.report.devtools import tab
from tests.report.tables.conftest import write_paper_run

AXE = Path(os.environ.get("PRISM_TEST_AXE", "node_modules/axe-core/axe.min.js"))
_FOUND = """axe.run().then((found) => found.violations.map((one) => [one.impact, one.id, one.nodes[0].html]))"""
_OPEN = """
for (const kind of ["details.data", "details.sources", "#artifacts details"]) {
  const first = document.querySelector(kind);
  if (first) first.open = true;
}
new Promise((done) => setTimeout(done, 100))
"""


needs_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="axe-core isn't there: `npm install --no-save axe-core@4.14.1` brings it"
)


@pytest.fixture(scope="module")
def pages(miniature_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A run's report, that of a run with the paper's benchmarks and the harness's tasks, and two runs compared."""
    folder = tmp_path_factory.mktemp("pages")
    run = write_paper_run(folder / "my_run")
    for stage in ("base", "mid"):
        made_up_run.write_harness(run, stage, "general_winogrande", {"acc": 0.6})
    return {
        "report": miniature_run / "report.html",
        "paper": write_report(run),
        "comparison": write_comparison([miniature_run, run], folder),
    }


@needs_axe
@pytest.mark.parametrize("name", ["report", "paper", "comparison"])
def test_axe_finds_nothing_serious(pages: Mapping[str, Path], tmp_path: Path, name: str) -> None:
    serious = {}
    with tab(tmp_path) as page:
        for width in (1440, 390):
            page.open(pages[name], width)
            page.run(_OPEN)
            page.run(AXE.read_text() + "\n;0")
            for theme in ("light", "dark"):
                page.run(f"document.documentElement.dataset.theme = '{theme}'")
                found = page.run(_FOUND)
                serious[width, theme] = [one for one in found if one[0] in ("serious", "critical")]
    assert all(found == [] for found in serious.values()), serious


@needs_axe
def test_the_check_notices_what_is_serious(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<html><body><img src='data:,'><button></button></body></html>")
    with tab(tmp_path) as page:
        page.open(bad)
        page.run(AXE.read_text() + "\n;0")
        assert {one[1] for one in page.run(_FOUND)} >= {"image-alt", "button-name"}
