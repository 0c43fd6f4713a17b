"""SVG elements as escaped markup. Colours are classes (c0 to c7), so that the page's style sheet owns them."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

COLOURS = 8

Attribute = str | int | float | None


def element(name: str, content: str | Iterable[str] = "", **attributes: Attribute) -> Markup:
    """`<name ...>content</name>`. `class_` and `for_` lose their underscore, others turn it into a hyphen.

    Text is escaped; markup and lists of markup are taken as they are.
    """
    written = "".join(
        f' {_name(key)}="{escape(number(value) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = escape(content) if isinstance(content, str) else Markup("").join(content)
    return Markup(f"<{name}{written}/>") if not inner else Markup(f"<{name}{written}>{inner}</{name}>")


def text(content: str, x: float, y: float, class_: str, anchor: str = "start") -> Markup:
    return element("text", content, x=x, y=y, class_=class_, text_anchor=None if anchor == "start" else anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def title(content: str) -> Markup:
    """What a pointer that rests on the element above shows, and what a screen reader says."""
    return element("title", content)


def colour(index: int) -> str:
    """Class of a series; after the last colour they begin again, dashed."""
    return f"c{index % COLOURS}" + (" dashed" if index >= COLOURS else "")


def number(value: float) -> str:
    """Coordinates need a tenth of a pixel, no more."""
    return f"{value:.1f}".removesuffix(".0")


def _name(key: str) -> str:
    return key.removesuffix("_").replace("_", "-") if key not in ("viewBox",) else key
