"""The stages as a tree: each box to the right of the stage it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from prism.report.charts.svg import element, line, number, text, title

BOX_WIDTH, BOX_HEIGHT = 280.0, 62.0
GAP_X, GAP_Y, MARGIN = 96.0, 14.0, 2.0


@dataclass(frozen=True)
class Box:
    """`kind` chooses the colour (a CSS class); `share` (0..1) draws a bar along the bottom."""

    name: str
    parent: str | None
    kind: str
    subtitle: str
    figure: str
    share: float | None
    spoken: str
    strong: bool = False


def tree_chart(boxes: Sequence[Box]) -> Markup:
    """Depth goes right; boxes of one parent lie below each other in the given order, strong ones first."""
    by_name = {box.name: box for box in boxes}
    rows: dict[str, float] = {}
    depths: dict[str, int] = {}
    children: dict[str | None, list[Box]] = {}
    for box in boxes:
        children.setdefault(box.parent if box.parent in by_name else None, []).append(box)
    leaves = 0

    def place(box: Box, depth: int) -> float:
        nonlocal leaves
        depths[box.name] = depth
        strong_first = sorted(children.get(box.name, []), key=lambda child: not child.strong)
        below = [place(child, depth + 1) for child in strong_first]
        if not below:
            leaves += 1
        rows[box.name] = below[0] if below else leaves - 1.0
        return rows[box.name]

    for root in children.get(None, []):
        place(root, 0)
    width = (max(depths.values(), default=0) + 1) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    height = max(leaves, 1) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    corners = {
        name: (MARGIN + depths[name] * (BOX_WIDTH + GAP_X), MARGIN + rows[name] * (BOX_HEIGHT + GAP_Y)) for name in rows
    }
    marks = [
        _edge(corners[box.parent], corners[box.name], box.strong and by_name[box.parent].strong)
        for box in sorted(boxes, key=lambda box: box.strong)
        if box.parent in corners
    ]
    marks += [_box(box, *corners[box.name]) for box in boxes if box.name in corners]
    return element(
        "svg",
        marks,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        class_="chart tree",
        role="img",
        aria_label="The stages and where each starts from",
    )


def _edge(start: tuple[float, float], end: tuple[float, float], strong: bool) -> Markup:
    x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT / 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT / 2
    middle = x1 + GAP_X / 2
    if y1 == y2:
        way = f"M{number(x1)},{number(y1)} H{number(x2)}"
    else:
        turn = 8 if y2 > y1 else -8
        way = (
            f"M{number(x1)},{number(y1)} H{number(middle - 8)}"
            f" Q{number(middle)},{number(y1)} {number(middle)},{number(y1 + turn)}"
            f" V{number(y2 - turn)} Q{number(middle)},{number(y2)} {number(middle + 8)},{number(y2)} H{number(x2)}"
        )
    return element("path", d=way, class_="edge strong" if strong else "edge")


def _box(box: Box, x: float, y: float) -> Markup:
    marks = [
        title(box.spoken),
        element("rect", x=x, y=y, width=BOX_WIDTH, height=BOX_HEIGHT, rx=6, class_="box"),
        text(box.name, x + 14, y + 24, "name"),
        text(box.subtitle, x + 14, y + 42, "subtitle"),
        text(box.figure, x + BOX_WIDTH - 12, y + 25, "figure", "end"),
    ]
    if box.share is not None:
        bottom, room = y + BOX_HEIGHT - 10, BOX_WIDTH - 28
        marks.append(line(x + 14, bottom, x + 14 + room, bottom, "track"))
        marks.append(line(x + 14, bottom, x + 14 + room * box.share, bottom, "fill"))
    return element("g", marks, class_=f"node {box.kind}" + (" main" if box.strong else ""))
