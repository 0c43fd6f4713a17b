"""One version: of the package, its metadata, the command line and the changelog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from prism import __version__

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<date> - \d{4}-\d{2}-\d{2})?$", re.MULTILINE)


def releases() -> list[str]:
    """Versions in the changelog, newest first."""
    headings = list(HEADING.finditer((ROOT / "CHANGELOG.md").read_text()))
    assert headings[0]["version"] == "Unreleased"
    assert all(heading["date"] for heading in headings[1:]), "a release has the form ## [1.2.3] - 2030-01-31"
    return [heading["version"] for heading in headings[1:]]


def as_numbers(version: str) -> tuple[int, ...]:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(\.dev0)?", version)
    assert found is not None, f"{version} isn't of the form 1.2.3 or 1.2.3.dev0"
    return tuple(map(int, found.groups()[:3]))


def test_the_version_has_one_home() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in pyproject["project"]["dynamic"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "prism.__version__"}


def test_the_changelogs_newest_release_is_the_version_and_development_comes_after_it() -> None:
    newest = releases()[:1]
    if __version__.endswith(".dev0"):
        assert all(as_numbers(version) < as_numbers(__version__) for version in newest)
    else:
        assert newest == [__version__]


def test_releases_are_listed_newest_first() -> None:
    versions = [as_numbers(version) for version in releases()]
    assert versions == sorted(versions, reverse=True)
