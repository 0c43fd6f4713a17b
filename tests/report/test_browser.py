"""The pages in a browser: quiet, offline, as wide as the window, small, fit for paper."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prism.report import write_comparison
from tests.report.browser import open_page
from tests.report.devtools import tab

WIDTHS = (390, 820, 1440)
BYTES_AT_MOST = 3_000_000
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def comparison(miniature_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comparison")
    copied = Path(shutil.copytree(miniature_run, folder / "copied"))
    return write_comparison([miniature_run, copied], folder)


@pytest.mark.parametrize("width", [1440, 420])
def test_the_page_opens_offline_without_console_error_or_request(
    miniature_run: Path, tmp_path: Path, width: int
) -> None:
    visit = open_page(miniature_run / "report.html", tmp_path, width=width)
    assert visit.console == ()
    assert visit.requests == ()
    assert 'class="toggles"' in visit.dom, "the script has run to its end"
    assert (tmp_path / f"screenshot_{width}.png").stat().st_size > 10_000


@pytest.mark.parametrize("page", ["report", "comparison"])
def test_no_width_and_no_theme_complains_asks_the_network_or_scrolls_sideways(
    miniature_run: Path, comparison: Path, tmp_path: Path, page: str
) -> None:
    path = miniature_run / "report.html" if page == "report" else comparison
    colours = set()
    with tab(tmp_path) as opened:
        for scheme in ("light", "dark"):
            opened.media(scheme=scheme)
            for width in WIDTHS:
                opened.open(path, width)
                assert opened.run(_TOO_WIDE) <= 0, f"{width} pixels"
                colours.add((scheme, opened.run(_BACKGROUND)))
                opened.run("document.querySelectorAll('details').forEach((one) => { one.open = true; }), 0")
                assert opened.run(_TOO_WIDE) <= 0, f"{width} pixels, everything open"
        assert opened.complaints == []
        assert opened.requests == []
    assert len({colour for _, colour in colours}) == 2


def test_pages_are_small(miniature_run: Path, comparison: Path) -> None:
    assert (miniature_run / "report.html").stat().st_size < BYTES_AT_MOST
    assert comparison.stat().st_size < BYTES_AT_MOST


def test_a_link_to_a_file_opens_the_list_that_it_is_in(miniature_run: Path, tmp_path: Path) -> None:
    with tab(tmp_path) as opened:
        opened.open(miniature_run / "report.html")
        opened.run("document.querySelector('#time .sources a').click()")
        opened.run("new Promise((done) => setTimeout(done, 300))")
        assert opened.run("document.querySelector('#artifacts details').open") is True
        assert opened.run("document.querySelector('tr:target th').textContent") == "manifest.json"


def test_on_paper_there_is_what_can_be_read_and_nothing_to_click(miniature_run: Path, tmp_path: Path) -> None:
    hidden = "[...document.querySelectorAll('nav, .data, .sources')].every((one) => !one.getClientRects().length)"
    with tab(tmp_path) as opened:
        opened.media(scheme="dark")
        opened.open(miniature_run / "report.html", 820)
        opened.media("print", "dark")
        assert opened.run(hidden) is True
        assert opened.run(_BACKGROUND) == "rgb(255, 255, 255)"
        assert opened.run(_TOO_WIDE) <= 0
        pages = opened.pdf()
    assert pages.startswith(b"%PDF") and pages.count(b"/Type /Page\n") > 5


def test_the_check_notices_an_error_a_request_and_what_is_too_wide(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        '<img src="http://example.invalid/a.png"><div style="width: 3000px">.</div>'
        '<script>throw new Error("boom")</script>'
    )
    visit = open_page(page, tmp_path)
    assert any("boom" in message for message in visit.console)
    assert visit.requests == ("http://example.invalid/a.png",)
    with tab(tmp_path) as opened:
        opened.open(page)
        assert opened.run(_TOO_WIDE) > 0
        assert any("boom" in one for one in opened.complaints)
        assert opened.requests == ["http://example.invalid/a.png"]
