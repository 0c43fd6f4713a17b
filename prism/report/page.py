"""The page: sections in reading order, from claims to seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from prism import __version__
from prism.report import sections
from prism.report.claims import CheckedClaim
from prism.report.figures import Figures, NotMeasured
from prism.report.results import RunResults

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of the page; `body` is HTML that `sections` made and escaped."""

    id: str
    title: str
    text: str
    body: Markup


_SECTIONS: list[tuple[str, str, str, Callable[[RunResults], str]]] = [
    (
        "chain",
        "The chain",
        "Each box is a stage and starts from the weights of the one before. The figure is its sampled pass rate on held-out problems.",
        sections.chain,
    ),
    (
        "blends",
        "Blends",
        "What share of the tokens each source gives, how many tokens that is, and how often the source is repeated (epochs).",
        sections.blends,
    ),
    ("training", "Training", "Loss in nats a token; by source, each source has its own level.", sections.training),
    (
        "evaluation",
        "Evaluation",
        "Before and after every stage, with 95% bootstrap intervals over prompts. Sampled is the mean over samples at the task's temperature; greedy takes the most likely token.",
        sections.evaluation,
    ),
    (
        "rl",
        "RL",
        "Reward and pass rate of the rollouts themselves, response length, divergence from the reference, and how far generator and trainer disagree.",
        sections.reinforcement,
    ),
    ("samples", "Sample responses", "The same held-out problems before and after.", sections.sample_responses),
    (
        "weights",
        "Weights",
        "How far each part moved (norm of the change over norm of the weights) and which share of it changed by less than a threshold.",
        sections.weights,
    ),
    (
        "cka",
        "Representations",
        "Linear CKA of mean-pooled hidden states, layer by layer: 1 means the same geometry. Bands: 95% over resampled inputs.",
        sections.representations,
    ),
    ("time", "Time", "", sections.time_spent),
]


def render_page(results: RunResults, claims: list[CheckedClaim]) -> str:
    """One self-contained HTML document."""
    made = (
        [
            Section(
                "claims",
                "Claims",
                "Statements of the recipe, checked against this run's own figures.",
                Markup(sections.claims(claims)),
            )
        ]
        if claims
        else []
    )
    for identity, title, text, body in _SECTIONS:
        content = body(results)
        if content:
            made.append(Section(identity, title, text, Markup(content)))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((_HERE / "page.html.j2").read_text())
    total = sum(results.seconds.values())
    return template.render(
        run=results,
        model=_model(results),
        minutes=f"{total / 60:.1f} min" if total else "",
        nodes=len(results.seconds),
        lead=_lead(claims),
        notes=_notes(results),
        sections=made,
        style=Markup((_HERE / "style.css").read_text()),
        recipe=yaml.safe_dump(dict(results.recipe), sort_keys=False, allow_unicode=True, width=110),
        version=__version__,
    )


def _model(results: RunResults) -> str:
    model = results.recipe.get("model", {})
    kind = f"hybrid {model['hybrid_pattern']}" if model.get("hybrid_pattern") else "dense"
    return f"{kind} model, {model.get('num_layers')} layers of width {model.get('hidden_size')}"


def _lead(claims: list[CheckedClaim]) -> str:
    held = sum(claim.holds is True for claim in claims)
    failed = [claim.name for claim in claims if claim.holds is False]
    checked = held + len(failed)
    if not checked:
        return "What this run did to its model: blend, training, evaluation, RL, weights and representations."
    if not failed:
        return f"All {checked} claims with a threshold hold in this run."
    return (
        f"{held} of {checked} claims with a threshold hold in this run; {', '.join(failed)} does not."
        if len(failed) == 1
        else (f"{held} of {checked} claims with a threshold hold in this run; {', '.join(failed)} do not.")
    )


def _notes(results: RunResults) -> list[str]:
    """What a reader must know to read the figures rightly."""
    notes = []
    noise = (results.recipe.get("data", {}).get("world") or {}).get("trace_noise")
    if noise:
        notes.append(
            f"The world of this run is made up. In its mid-training data a step of a reasoning trace is wrong with probability "
            f"{noise:g} and the error is carried on: that stands for distilled traces that nobody verified. Evaluation and RL "
            "use the truth."
        )
    figures = Figures(results)
    try:
        sampled, greedy = (
            figures.pass_rate("rl") - figures.pass_rate("mid"),
            figures.greedy("rl") - figures.greedy("mid"),
        )
    except (NotMeasured, Exception):
        return notes
    notes.append(
        f"What RL gained: sampled, the pass rate changed by {sampled:+.1f} points, greedy by {greedy:+.1f}. "
        + (
            "Most of the gain is sampling noise that RL removed, not problems that the model couldn't solve before."
            if greedy < sampled / 2
            else "Both gain."
        )
    )
    return notes
