"""Whether the links of a built site lead somewhere, and whether its pages fetch anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
_PASSIVE = {"canonical", "next", "prev", "edit", "alternate"}
"""Relations of <link> that a browser doesn't fetch."""


@dataclass
class Page(HTMLParser):
    """What a page points at."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element: its anchors, and where it points."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in _FETCHED and values.get(_FETCHED[tag]) and not _PASSIVE & set(values.get("rel", "").split()):
            self.fetched.append(values[_FETCHED[tag]])


def read(site: Path) -> list[Page]:
    """Every page but the one for addresses that don't exist, whose links start at the site's root."""
    return [Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"]


def broken(site: Path) -> Iterator[str]:
    """A line for every link inside the site whose page, file or anchor isn't there."""
    pages = {page.path.resolve(): page for page in read(site)}
    for page in pages.values():
        for link in [*page.links, *page.fetched]:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (page.path.parent / unquote(address.path)).resolve() if address.path else page.path.resolve()
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(address.fragment)
            if not target.is_file():
                yield f"{page.path.relative_to(site)}: {link} leads nowhere"
            elif anchor and target in pages and anchor not in pages[target].anchors and not anchor.startswith("__"):
                yield f"{page.path.relative_to(site)}: {link} has no such anchor"


def fetched_from_elsewhere(site: Path) -> Iterator[str]:
    """A line for every script, style sheet, image or frame that a page takes from another host."""
    for page in read(site):
        for address in page.fetched:
            if urlsplit(address).netloc:
                yield f"{page.path.relative_to(site)}: fetches {address}"


def external(site: Path) -> list[str]:
    """Addresses outside of the site that its pages link to, each once. Nothing is asked of them."""
    return sorted({link for page in read(site) for link in page.links if urlsplit(link).netloc})
