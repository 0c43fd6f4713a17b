"""Where the time went."""

from __future__ import annotations

from prism.report.charts.bars import Bar, Part, bar_chart
from prism.report.charts.figure import Figure
from prism.report.numbers import duration
from prism.report.results import Results

_SERIES = (("data", 7), ("the stage itself", 0), ("its evaluation", 2), ("comparison", 3))
_DATA, _STAGE, _EVALUATION, _COMPARISON = range(4)


def timing(results: Results) -> Figure | None:
    """Seconds of every stage with its evaluation, of the data and of the comparisons."""
    seconds = results.seconds()
    bars = [_bar(name, [(_DATA, seconds[name])]) for name in seconds if results.nodes[name].kind == "data"]
    for stage in results.stages:
        parts = [(kind, seconds.get(node)) for kind, node in ((_STAGE, stage), (_EVALUATION, f"evaluate:{stage}"))]
        known = [(kind, value) for kind, value in parts if value is not None]
        if known:
            bars.append(_bar(stage, known))
    for name in seconds:
        if results.nodes[name].kind == "analyze":
            bars.append(_bar(" → ".join(name.split(":")[1:]), [(_COMPARISON, seconds[name])]))
        elif results.nodes[name].kind == "landscape":
            bars.append(_bar("landscape", [(_COMPARISON, seconds[name])]))
    note = "Stages may run side by side: the sum is compute, not waiting time."
    return bar_chart("Time of each stage", _SERIES, bars, note=" ".join([note, *_goodput(results)]))


def _goodput(results: Results) -> list[str]:
    """Sentences that name each stage's share of steps in the time that machines were held for it."""
    shares = [
        f"{name} {share:.0%}" + (f" in {found['tries']} tries" if found.get("tries", 1) > 1 else "")
        for name, node in results.nodes.items()
        for event in node.events
        if isinstance(found := event.get("goodput"), dict) and isinstance(share := found.get("share"), float)
    ]
    if not shares:
        return []
    return [f"Goodput, the share of steps that count in the time that machines were held: {', '.join(shares)}."]


def _bar(label: str, parts: list[tuple[int, float]]) -> Bar:
    total = sum(value for _, value in parts)
    return Bar(label, tuple(Part(kind, value, duration(value)) for kind, value in parts), duration(total))
