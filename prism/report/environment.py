"""The templates of the pages, with the style and script that go inside them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from prism.report import numbers
from prism.report.charts.data import as_lines
from prism.report.tables.table import figure, interval

_FILTERS = ("decimal", "percent", "signed", "significant", "short", "duration")


def render_page(template: str, page: object) -> str:
    """A whole page as text, with nothing outside of it. The template reads `page`, `style` and `script`."""
    folder = Path(str(files("prism.report") / "template"))
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["lines"] = as_lines
    environment.filters |= {name: getattr(numbers, name) for name in _FILTERS}
    environment.filters |= {"figure_text": figure, "interval_text": interval, "file_id": file_id}
    style, script = (Markup((folder / name).read_text()) for name in ("page.css", "page.js"))
    return environment.get_template(template).render(page=page, style=style, script=script)


def file_id(path: str) -> str:
    """The place of a file in the page's list of artifacts."""
    return f"file/{path}"
