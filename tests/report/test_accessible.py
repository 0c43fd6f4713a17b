"""axe-core over the report, light and dark, wide and narrow: nothing serious."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.report.devtools import tab

AXE = Path(os.environ.get("PRISM_TEST_AXE", "node_modules/axe-core/axe.min.js"))
_FOUND = """axe.run().then((found) => found.violations.map((one) => [one.impact, one.id, one.nodes[0].html]))"""


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core isn't there: `npm install --no-save axe-core@4.14.1` brings it")
def test_axe_finds_nothing_serious(miniature_run: Path, tmp_path: Path) -> None:
    serious = {}
    with tab(tmp_path) as page:
        for width in (1440, 400):
            page.open(miniature_run / "report.html", width)
            page.run("document.querySelector('details.data').open = true")
            page.run(AXE.read_text() + "\n;0")
            for theme in ("light", "dark"):
                page.run(f"document.documentElement.dataset.theme = '{theme}'")
                found = page.run(_FOUND)
                serious[width, theme] = [one for one in found if one[0] in ("serious", "critical")]
    assert all(found == [] for found in serious.values()), serious


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core isn't there: `npm install --no-save axe-core@4.14.1` brings it")
def test_the_check_notices_what_is_serious(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<html><body><img src='data:,'><button></button></body></html>")
    with tab(tmp_path) as page:
        page.open(bad)
        page.run(AXE.read_text() + "\n;0")
        assert {one[1] for one in page.run(_FOUND)} >= {"image-alt", "button-name"}
