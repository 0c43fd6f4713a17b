"""Loss, learning rate and grad norm of the stages that train on text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prism.report.charts.downsample import Point, running_mean
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results, Stage
from prism.report.sections.palette import colours, in_order
from prism.report.sections.sources import from_files, metrics
from prism.report.shapes import TrainingStep

_WINDOW_SHARE = 40
_NAMED = 5
_SPIKE = "loss spike"


def training(results: Results) -> tuple[Figure, ...]:
    """Overall curves first, then one chart of losses by source for every stage."""
    stages = {name: stage for name, stage in results.stages.items() if stage.training}
    order = in_order(stages, results.main_chain())
    steps = Axis("step", low=0, whole=True)
    tint = {name: index for index, name in enumerate(order)}
    overall = [series for name in order for series in smooth(name, _points(stages[name], lambda s: s.loss), tint[name])]
    note = " ".join([_windows(stages), "Faint: every step.", *(_events(stages[name]) for name in order)]).strip()
    figures: list[Figure | None] = [line_chart("Loss, overall", overall, steps, Axis("nats a token"), note=note)]
    sources = [source for stage in stages.values() for source in _sources(stage)]
    by_source = colours(in_order(sources, results.recipe.data.sources))
    for name in order:
        series = [
            one
            for source in in_order(_sources(stages[name]), by_source)
            for one in smooth(source, _source_points(stages[name], source), by_source[source], faint=False)
        ]
        own = [
            line_chart(f"Loss by source: {name}", series, steps, Axis("nats a token"), note="Running means."),
        ]
        held_out = [
            Series(source, points, by_source[source], markers=True)
            for source in in_order(_sources(stages[name]), by_source)
            if (points := _held_out_points(stages[name], source))
        ]
        heading, note = f"Held-out loss by source: {name}", "Documents kept out of training."
        own.append(line_chart(heading, held_out, steps, Axis("nats a token"), note=note))
        figures += from_files(results, metrics([name]), own)
    single: Sequence[tuple[str, str, Callable[[TrainingStep], float | None], bool]] = (
        ("Learning rate", "learning rate", lambda step: step.learning_rate, False),
        ("Grad norm", "grad norm before clipping", lambda step: step.grad_norm, True),
        ("Throughput", "tokens per second", lambda step: step.timing.tokens_per_second, True),
        ("MFU", "share of the device's peak, %", lambda step: step.timing.mfu and 100 * step.timing.mfu, True),
        ("Wait for data", "share of a step, %", lambda step: _percent(step.timing.data_wait), True),
    )
    for heading, label, read, smoothed in single:
        series = [
            one
            for name in order
            for one in (
                smooth(name, _points(stages[name], read), tint[name], faint=False)
                if smoothed
                else [Series(name, _points(stages[name], read), tint[name])]
            )
        ]
        figures.append(line_chart(heading, series, steps, Axis(label, low=0)))
    return from_files(results, metrics(order), figures)


def smooth(name: str, points: Sequence[Point], colour: int, *, faint: bool = True) -> list[Series]:
    """A running mean over a fortieth of the points; with `faint` the points themselves below it."""
    window = max(1, len(points) // _WINDOW_SHARE)
    if window == 1:
        return [Series(name, points, colour)]
    mean = Series(name, running_mean(points, window), colour)
    return [Series(name, points, colour, faint=True), mean] if faint else [mean]


def _points(stage: Stage, read: Callable[[TrainingStep], float | None]) -> list[Point]:
    return [(float(step.step), value) for step in stage.training if (value := read(step)) is not None]


def _sources(stage: Stage) -> list[str]:
    return list(dict.fromkeys(source for step in stage.training for source in step.loss_by_source))


def _source_points(stage: Stage, source: str) -> list[Point]:
    return [(float(step.step), step.loss_by_source[source]) for step in stage.training if source in step.loss_by_source]


def _held_out_points(stage: Stage, source: str) -> list[Point]:
    looks = [(step.step, step.validation.loss_by_source) for step in stage.training if step.validation is not None]
    return [(float(step), losses[source]) for step, losses in looks if source in losses]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _events(stage: Stage) -> str:
    """What happened in a stage, in a sentence; empty where nothing did."""
    spikes = [step.step for step in stage.training if any(note.startswith(_SPIKE) for note in step.notes)]
    skipped = [step.step for step in stage.training if step.skipped]
    found = [f"{what} at {_listed(steps)}" for what, steps in (("loss spikes", spikes), ("skipped", skipped)) if steps]
    return f"{stage.name}: {'; '.join(found)}." if found else ""


def _listed(steps: Sequence[int]) -> str:
    more = f" and {len(steps) - _NAMED} more" if len(steps) > _NAMED else ""
    return f"step {', '.join(map(str, steps[:_NAMED]))}{more}"


def _windows(stages: dict[str, Stage]) -> str:
    longest = max((len(stage.training) for stage in stages.values()), default=0)
    return f"Running mean over up to {max(1, longest // _WINDOW_SHARE)} steps."
