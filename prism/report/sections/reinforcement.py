"""Curves of the RL stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from prism.report.charts.downsample import Point
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.numbers import short
from prism.report.results import Results, Stage
from prism.report.sections.palette import colours, in_order
from prism.report.sections.training import smooth
from prism.report.shapes import RlStep
from prism.tally.solvability import Solvability, solvability

_SMOOTH_FROM_STEPS = 80
_Read = Callable[[RlStep], float | None]
_CURVES: tuple[tuple[str, str, _Read, float | None, str], ...] = (
    (
        "Response length",
        "tokens a response",
        lambda step: step.response_length,
        0,
        "Mean over the responses of a step.",
    ),
    (
        "Format rate",
        "% of responses",
        lambda step: _percent(step.format_rate),
        0,
        "Responses of the form <think> … </think> answer.",
    ),
    ("Stop rate", "% of responses", lambda step: _percent(step.stop_rate), 0, "Responses that end with a stop token."),
    (
        "Entropy",
        "nats a token",
        lambda step: step.entropy,
        0,
        "Mean of minus the log-probability of the drawn tokens, which estimates the policy's entropy.",
    ),
    ("KL to the reference", "nats a token", lambda step: step.kl, 0, "The reference follows the policy slowly."),
    (
        "Mismatch of generator and trainer",
        "mean difference of log-probabilities",
        lambda step: step.mismatch,
        0,
        "Between the probabilities that sampled a token and those that trained on it.",
    ),
    (
        "Clipped and truncated tokens",
        "% of tokens",
        lambda step: None if step.clip_share is None else 100 * (step.clip_share + (step.truncated_share or 0)),
        0,
        "Tokens whose ratio the clip or the cap of importance sampling cuts.",
    ),
    (
        "Groups with a signal",
        "% of groups",
        lambda step: _percent(step.live_groups),
        0,
        "Groups whose responses differ in reward; the others are left out.",
    ),
    ("Grad norm, RL", "grad norm before clipping", lambda step: step.grad_norm, 0, ""),
    ("Learning rate, RL", "learning rate", lambda step: step.learning_rate, 0, ""),
)


def reinforcement(results: Results) -> tuple[Figure, ...]:
    stages = {name: stage for name, stage in results.stages.items() if stage.rl}
    order = in_order(stages, results.main_chain())

    def figure(heading: str, label: str, read: _Read, low: float | None, note: str) -> Figure | None:
        series = [one for index, name in enumerate(order) for one in _series(name, _points(stages[name], read), index)]
        return line_chart(heading, series, Axis("step", low=0, whole=True), Axis(label, low=low), note=note)

    figures = [_solvability(stage) for stage in results.stages.values() if stage.graded]
    figures += [
        figure(
            "Reward", "mean reward", lambda step: step.reward, 0, "Correctness behind the format gate, less penalties."
        ),
        figure("Pass rate on each step's prompts", "%", lambda step: _percent(step.pass_rate), 0, "All domains."),
    ]
    steps = [step for stage in stages.values() for step in stage.rl]
    for domain in dict.fromkeys(domain for step in steps for domain in step.pass_rate_by_domain):
        figures.append(figure(f"Pass rate: {domain}", "%", _domain_reader(domain), 0, ""))
    for term in dict.fromkeys(term for step in steps for term in step.reward_by_term):
        figures.append(figure(f"Reward term: {term}", "mean", _reader("reward_by_term", term, 1), None, ""))
    followed = {name: solvability(stage.rl) for name, stage in stages.items()}
    for before in sorted({one.before for found in followed.values() for one in found}):
        figures.append(_followed(before, {name: followed[name] for name in order}))
    uncounted = [step for step in steps if not step.hard_prompts]  # of a release that noted rates alone
    for before in sorted({before for step in uncounted for before in step.pass_rate_by_difficulty}):
        figures.append(
            figure(
                f"Pass rate of prompts that were {before}",
                "%",
                _reader("pass_rate_by_difficulty", before, 100),
                0,
                "Right responses before RL, in the difficulty stage (the paper's Figure 10).",
            )
        )
    for share in dict.fromkeys(share for step in steps for share in step.solve_rates):
        note = "Groups by the share of their responses that are right."
        figures.append(figure(f"Groups solved: {share}", "% of groups", _reader("solve_rates", share, 100), 0, note))
    figures += [figure(*curve) for curve in _CURVES]
    return tuple(one for one in figures if one is not None)


def _followed(before: str, stages: Mapping[str, Sequence[Solvability]]) -> Figure | None:
    """Pass rate through RL of the prompts that were alike before it, in windows of steps."""
    series, told = [], []
    for index, (name, found) in enumerate(stages.items()):
        for one in found:
            if one.before == before:
                points = [((window.first + window.last) / 2, window) for window in one.windows]
                series.append(
                    Series(
                        name,
                        [(middle, 100 * window.rate) for middle, window in points],
                        index,
                        markers=True,
                        band=[(middle, 100 * window.low, 100 * window.high) for middle, window in points],
                    )
                )
                told.append(f"{name}: {short(one.solved)} of {short(one.prompts)} prompts were solved at least once")
    note = f"Right responses before RL, in the difficulty stage (the paper's Figure 10). {'; '.join(told)}."
    heading = f"Pass rate of prompts that were {before}"
    return line_chart(heading, series, Axis("step", low=0), Axis("%", low=0), note=note)


def _solvability(stage: Stage) -> Figure | None:
    """How hard the prompts were before RL: prompts by their number of right responses."""
    most = max(prompt.samples for prompt in stage.graded)
    tints = colours(prompt.domain for prompt in stage.graded)
    series = []
    for domain, tint in tints.items():
        counts = Counter(prompt.correct for prompt in stage.graded if prompt.domain == domain)
        total = counts.total()
        points = [(float(right), 100 * counts[right] / total) for right in range(most + 1)]
        series.append(Series(domain, points, tint, markers=True))
    kept = "" if stage.kept_prompts is None else f", {short(stage.kept_prompts)} kept"
    note = f"Before RL: {short(len(stage.graded))} prompts sampled from {stage.parent}{kept}."
    heading = f"How hard the prompts are: {stage.name}"
    x = Axis(f"right responses of {most}", whole=True)
    return line_chart(heading, series, x, Axis("% of the domain's prompts", low=0), note=note)


def _series(name: str, points: list[Point], colour: int) -> list[Series]:
    return smooth(name, points, colour) if len(points) >= _SMOOTH_FROM_STEPS else [Series(name, points, colour)]


def _domain_reader(domain: str) -> _Read:
    return lambda step: _percent(step.pass_rate_by_domain.get(domain))


def _reader(field: str, key: str, scale: float) -> _Read:
    def read(step: RlStep) -> float | None:
        value = getattr(step, field).get(key)
        return None if value is None else scale * value

    return read


def _points(stage: Stage, read: _Read) -> list[Point]:
    return [(float(step.step), value) for step in stage.rl if (value := read(step)) is not None]


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction
