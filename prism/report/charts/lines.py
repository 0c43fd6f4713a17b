"""Line charts: curves over steps, layers or thresholds, with bands for intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from prism.report.charts.data import Data, by_x
from prism.report.charts.downsample import Point, downsample
from prism.report.charts.figure import Figure, Key
from prism.report.charts.scale import Scale, linear_scale, log_scale, tick_label
from prism.report.charts.svg import colour, element, line, number, text, title
from prism.report.numbers import significant

WIDTH, HEIGHT = 520.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 30.0, 42.0


@dataclass(frozen=True)
class Series:
    """A curve. `faint` is drawn thin below the others and has no legend entry; `band` is (x, low, high)."""

    name: str
    points: Sequence[Point]
    colour: int
    faint: bool = False
    markers: bool = False
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Axis:
    """`low` and `high` are values that the axis reaches at least. `whole` ticks only at whole numbers."""

    label: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False


def line_chart(heading: str, series: Sequence[Series], x: Axis, y: Axis, *, note: str = "") -> Figure | None:
    """A figure with one curve a series; None where no series has a point."""
    drawn = [Series(one.name, downsample(one.points), one.colour, one.faint, one.markers, one.band) for one in series]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return None
    xs, ys = _scales(drawn, x, y)
    marks = [element("g", [*_horizontal_grid(ys), *_x_axis(xs)], class_="axes")]
    marks += [text(x.label, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "label", "middle")]
    marks += [text(y.label, 0, 12, "label")]
    for one in sorted(drawn, key=lambda candidate: not candidate.faint):
        marks += _curve(one, xs, ys)
    svg = element(
        "svg",
        marks,
        viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
        class_="chart lines",
        role="img",
        aria_label=f"{heading}: {_spoken(drawn, x, y)}",
        data_x=_data(xs),
        data_y=_data(ys),
        data_xlabel=x.label,
    )
    legend = tuple(Key(one.name, colour(one.colour)) for one in drawn if not one.faint)
    return Figure(heading, svg, legend, note, _table(drawn, x))


def _table(series: Sequence[Series], x: Axis) -> Data:
    """Of the curves that have a name, as they are drawn, with what bounds their bands."""
    curves: dict[str, list[Point]] = {}
    for one in series:
        if one.faint:
            continue
        curves.setdefault(one.name, []).extend(one.points)
        if one.band:
            curves.setdefault(f"{one.name}, low", []).extend((px, low) for px, low, _ in one.band)
            curves.setdefault(f"{one.name}, high", []).extend((px, high) for px, _, high in one.band)
    return by_x(x.label, curves)


def _scales(series: Sequence[Series], x: Axis, y: Axis) -> tuple[Scale, Scale]:
    along = [px for one in series for px, _ in one.points]
    up = [py for one in series for _, py in one.points] + [
        bound for one in series for _, low, high in one.band for bound in (low, high)
    ]
    span = (LEFT, WIDTH - RIGHT)
    xs = (
        log_scale(along, *span)
        if x.log
        else linear_scale(along, *span, low=x.low, high=x.high, ticks=6, nice=False, whole=x.whole)
    )
    rise = (HEIGHT - BOTTOM, TOP)
    ys = log_scale(up, *rise) if y.log else linear_scale(up, *rise, low=y.low, high=y.high)
    return xs, ys


def _horizontal_grid(ys: Scale) -> list[Markup]:
    marks = []
    for tick in ys.ticks:
        height = ys(tick)
        marks.append(line(LEFT, height, WIDTH - RIGHT, height, "grid"))
        marks.append(text(tick_label(tick), LEFT - 8, height + 4, "tick", "end"))
    return marks


def _x_axis(xs: Scale) -> list[Markup]:
    floor = HEIGHT - BOTTOM
    marks = [line(xs.start, floor, xs.end, floor, "axis")]
    for tick in xs.ticks:
        place = xs(tick)
        marks.append(line(place, floor, place, floor + 4, "axis"))
        marks.append(text(tick_label(tick), place, floor + 18, "tick", "middle"))
    return marks


def _curve(one: Series, xs: Scale, ys: Scale) -> list[Markup]:
    points = [(px, py) for px, py in one.points if xs.shows(px) and ys.shows(py)]
    if not points:
        return []
    tint = colour(one.colour)
    marks = []
    if one.band:
        upper = [(px, high) for px, _, high in one.band]
        lower = [(px, low) for px, low, _ in reversed(one.band)]
        marks.append(element("polygon", points=_path([*upper, *lower], xs, ys), class_=f"band {tint}"))
    described = title(
        f"{one.name}: from {significant(points[0][1])} at {points[0][0]:g}"
        f" to {significant(points[-1][1])} at {points[-1][0]:g}"
    )
    if len(points) > 1:
        style = f"curve faint {tint}" if one.faint else f"curve {tint}"
        marks.append(element("polyline", [described], points=_path(points, xs, ys), class_=style))
    if one.markers or len(points) == 1:
        marks += [
            element(
                "circle",
                [title(f"{one.name}: {significant(py, 4)} at {px:g}")],
                cx=xs(px),
                cy=ys(py),
                r=3.2,
                class_=f"dot {tint}",
            )
            for px, py in points
        ]
    return [element("g", marks, class_="series", data_series=None if one.faint else one.name)]


def _path(points: Sequence[Point], xs: Scale, ys: Scale) -> str:
    return " ".join(f"{number(xs(px))},{number(ys(py))}" for px, py in points)


def _data(scale: Scale) -> str:
    """What the pointer needs to turn a position back into a value."""
    kind = "log" if scale.log else "linear"
    return f"{scale.low:.8g} {scale.high:.8g} {number(scale.start)} {number(scale.end)} {kind}"


def _spoken(series: Sequence[Series], x: Axis, y: Axis) -> str:
    names = ", ".join(one.name for one in series if not one.faint)
    return f"{y.label} by {x.label}; {names}"
