"""The retention gate's looks while stages trained: what was lost, how surely, and what was allowed."""

from __future__ import annotations

from collections.abc import Sequence

from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results, Stage
from prism.report.sections.palette import in_order
from prism.report.sections.sources import from_files, metrics

_LOST, _ALLOWED = 0, 3


def gate(results: Results) -> tuple[Figure, ...]:
    """A chart for every measure of every stage that had a gate."""
    found: list[Figure] = []
    for name in in_order(results.stages, results.main_chain()):
        stage = results.stages[name]
        measures = dict.fromkeys(measure for step in stage.training for measure in step.retention)
        found += from_files(results, metrics([name]), [_chart(stage, measure) for measure in measures])
    return tuple(found)


def _chart(stage: Stage, measure: str) -> Figure | None:
    looks = [(float(step.step), step.retention[measure]) for step in stage.training if measure in step.retention]
    known = [(step, look.low, look.high) for step, look in looks if look.low is not None and look.high is not None]
    lost = Series("lost", [(step, look.degradation) for step, look in looks], _LOST, markers=True, band=known)
    allowed = Series("allowed", [(step, look.limit) for step, look in looks], _ALLOWED)
    unit = "%" if looks[0][1].figure == "bits_per_byte" else "points"
    return line_chart(
        f"Retention gate: {stage.name}, {measure}",
        [lost, allowed],
        Axis("step", low=0, whole=True),
        Axis(f"worse than at the start, {unit}"),
        note=_verdict([(step, look.low is not None and look.low > look.limit) for step, look in looks]),
    )


def _verdict(looks: Sequence[tuple[float, bool]]) -> str:
    first = next((step for step, lost in looks if lost), None)
    said = "no look shows a loss beyond it" if first is None else f"at step {first:g} more is surely lost"
    return f"Band: bounds that hold over all looks and measures at once. Allowed: the gate's limit; {said}."
