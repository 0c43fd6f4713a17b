"""What the check of a built site finds."""

from __future__ import annotations

from pathlib import Path

import links
import pytest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text('<h1 id="top">A</h1><a href="sub/page.html#here">b</a><img src="a.png">')
    (tmp_path / "sub" / "page.html").write_text(
        '<h2 id="here">B</h2><a href="../index.html">a</a><a href="#here">h</a>'
    )
    (tmp_path / "a.png").write_bytes(b"")
    return tmp_path


def add(site: Path, text: str) -> None:
    path = site / "index.html"
    path.write_text(path.read_text() + text)


def test_a_sound_site_has_nothing_to_report(site: Path) -> None:
    assert list(links.broken(site)) == []
    assert list(links.fetched_from_elsewhere(site)) == []


@pytest.mark.parametrize("link", ["gone.html", "sub/gone.html#here", "sub"])
def test_a_link_to_nothing_is_found(site: Path, link: str) -> None:
    add(site, f'<a href="{link}">x</a>')
    assert list(links.broken(site)) == [f"index.html: {link} leads nowhere"]


@pytest.mark.parametrize("link", ["sub/page.html#gone", "#gone"])
def test_a_link_to_a_missing_anchor_is_found(site: Path, link: str) -> None:
    add(site, f'<a href="{link}">x</a>')
    assert list(links.broken(site)) == [f"index.html: {link} has no such anchor"]


def test_a_missing_image_is_found(site: Path) -> None:
    (site / "a.png").unlink()
    assert list(links.broken(site)) == ["index.html: a.png leads nowhere"]


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/x.css">',
        '<img src="https://badge.example/x.svg">',
    ],
)
def test_what_a_page_fetches_from_elsewhere_is_found(site: Path, element: str) -> None:
    add(site, element)
    assert len(list(links.fetched_from_elsewhere(site))) == 1


def test_a_link_to_elsewhere_is_listed_and_not_followed(site: Path) -> None:
    add(site, '<a href="https://example.org/page">x</a>')
    assert list(links.broken(site)) == []
    assert links.external(site) == ["https://example.org/page"]
