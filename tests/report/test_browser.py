from pathlib import Path

import pytest

from tests.report.browser import open_page


@pytest.mark.parametrize("width", [1440, 420])
def test_the_page_opens_offline_without_console_error_or_request(
    miniature_run: Path, tmp_path: Path, width: int
) -> None:
    visit = open_page(miniature_run / "report.html", tmp_path, width=width)
    assert visit.console == ()
    assert visit.requests == ()
    assert 'class="toggles"' in visit.dom, "the script has run to its end"
    assert (tmp_path / f"screenshot_{width}.png").stat().st_size > 10_000


def test_the_check_notices_an_error_and_a_request(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://example.invalid/a.png"><script>throw new Error("boom")</script>')
    visit = open_page(page, tmp_path)
    assert any("boom" in message for message in visit.console)
    assert visit.requests == ("http://example.invalid/a.png",)
