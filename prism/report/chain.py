"""The stage graph as a picture: a box a stage, an arrow from where it starts, its pass rate inside."""

from __future__ import annotations

from html import escape

from prism.report.figures import Figures, NotMeasured
from prism.report.results import RunResults

_BOX, _TALL, _GAP_X, _GAP_Y = 168, 46, 54, 14
_SENTENCES = {
    "pretrain": "pre-training",
    "midtrain": "mid-training",
    "rl": "RL",
    "difficulty": "filter",
    "merge": "merge",
    "extend": "longer context",
}


def chain_picture(results: RunResults) -> str:
    """Columns by distance from the root, children beside their parents."""
    columns: dict[int, list[str]] = {}
    depth = {name: _depth(results, name) for name in results.stages}
    for name in _by_family(results):
        columns.setdefault(depth[name], []).append(name)
    if not columns:
        return ""
    rows = max(map(len, columns.values()))
    width = len(columns) * _BOX + (len(columns) - 1) * _GAP_X + 4
    height = rows * (_TALL + _GAP_Y) - _GAP_Y + 4
    places = {}
    for column, names in columns.items():
        offset = (height - len(names) * (_TALL + _GAP_Y) + _GAP_Y) / 2
        for row, name in enumerate(names):
            places[name] = (2 + column * (_BOX + _GAP_X), offset + row * (_TALL + _GAP_Y))
    arrows = [_arrow(places[stage.parent], places[name]) for name, stage in results.stages.items() if stage.parent]
    boxes = [_box(results, name, *places[name]) for name in results.stages]
    return (
        f'<svg class="chain" viewBox="0 0 {width} {height:.0f}" role="img" style="max-width:{width}px" '
        f'aria-label="The stages of the run">{"".join(arrows)}{"".join(boxes)}</svg>'
    )


def _by_family(results: RunResults) -> list[str]:
    """Depth first, so that children of one parent stay together."""
    children: dict[str | None, list[str]] = {}
    for name, stage in results.stages.items():
        children.setdefault(stage.parent, []).append(name)
    ordered: list[str] = []

    def visit(name: str) -> None:
        ordered.append(name)
        for child in children.get(name, []):
            visit(child)

    for root in children.get(None, []):
        visit(root)
    return ordered


def _depth(results: RunResults, name: str) -> int:
    parent = results.stages[name].parent
    return 0 if parent is None else _depth(results, parent) + 1


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0] + _BOX, start[1] + _TALL / 2, end[0], end[1] + _TALL / 2
    middle = (x0 + x1) / 2
    return (
        f'<path class="arrow" d="M{x0} {y0:.0f}C{middle} {y0:.0f} {middle} {y1:.0f} {x1 - 6} {y1:.0f}"/>'
        f'<path class="head" d="M{x1 - 7} {y1 - 4:.0f}L{x1} {y1:.0f}L{x1 - 7} {y1 + 4:.0f}Z"/>'
    )


def _box(results: RunResults, name: str, x: float, y: float) -> str:
    stage = results.stages[name]
    try:
        figure = f"{Figures(results).pass_rate(name):.1f} %"
    except NotMeasured:
        kept = [row for row in stage.difficulty if 0 < row["correct"] < row["samples"]]
        figure = f"{len(kept)} of {len(stage.difficulty)}" if stage.difficulty else ""
    return (
        f'<g class="stage k-{stage.kind}"><rect x="{x}" y="{y:.0f}" width="{_BOX}" height="{_TALL}" rx="7"/>'
        f'<text class="name" x="{x + 11}" y="{y + 19:.0f}">{escape(name)}</text>'
        f'<text class="kind" x="{x + 11}" y="{y + 35:.0f}">{_SENTENCES.get(stage.kind, stage.kind)}</text>'
        f'<text class="figure" x="{x + _BOX - 11}" y="{y + 35:.0f}" text-anchor="end">{figure}</text></g>'
    )
