"""The site: every page is in the navigation; and, where PRISM_TEST_DOCS is set, it builds without a complaint."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import links
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r"^ +- .*?([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    by_their_own_index = {page for page in pages if page.startswith("decisions/0")}
    assert sorted(pages - by_their_own_index - named) == []


@pytest.mark.skipif(not os.environ.get("PRISM_TEST_DOCS"), reason="half a minute of one core; set PRISM_TEST_DOCS=1")
def test_the_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    assert list(links.broken(tmp_path / "site")) == []
    assert list(links.fetched_from_elsewhere(tmp_path / "site")) == []
    assert (tmp_path / "site" / "reference" / "recipe" / "cluster.html").is_file()
