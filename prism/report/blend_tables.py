"""The paper's mixtures as planned, next to the paper's figures, as Markdown: the tables of docs/blends.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_prep.blend.plan import PlannedDomain, PlannedSource, plan_blend
from data_prep.errors import DataError
from data_prep.schema import DataConfig
from prism.recipe.compose import compose
from prism.recipe.schema.training import MidtrainConfig
from prism.report.forecast import BlendForecast
from prism.report.paper_blends import PAPER_BLENDS, PaperBlend

BEGIN = "<!-- tables: made by `prism data blend table --page docs/blends.md` -->\n"
END = "<!-- end of tables -->\n"


def tables() -> str:
    """A section for every mixture."""
    return "\n".join(_section(paper) for paper in PAPER_BLENDS)


def with_tables(page: str, place: str) -> str:
    """The page with its tables renewed, the rest as it is. Raises DataError where it has no place for them."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(
            "the page has no place for the tables",
            place=place,
            remedy=f"add the lines {BEGIN.strip()} and {END.strip()}",
        )
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def paper_forecast(paper: PaperBlend) -> BlendForecast:
    """A mixture at the paper's budget, from the packaged fragments and the tokens that the cards expect."""
    data = DataConfig.model_validate(compose(paper.fragment).values["data"])
    config = paper_stage(paper)
    plan = plan_blend(
        paper.name,
        data.blends[paper.name],
        {name: round((source.tokens_billion or 0) * 1e9) for name, source in data.sources.items()},
        {name: source.domain for name, source in data.sources.items()},
        config.tokens,
    )
    return BlendForecast(plan, config.global_batch_size * config.sequence_length)


def paper_stage(paper: PaperBlend) -> MidtrainConfig:
    """The stage that takes the mixture, with the paper's settings."""
    values: Any = compose(paper.stage).values
    for key in paper.section:
        values = values[key]
    return MidtrainConfig.model_validate(values)


def _section(paper: PaperBlend) -> str:
    forecast, config = paper_forecast(paper), paper_stage(paper)
    plan = forecast.plan
    lines = [
        f"### {paper.name}",
        "",
        f"{config.steps:,} steps x {config.global_batch_size:,} sequences x {config.sequence_length:,} tokens = "
        f"{plan.budget_tokens:,} tokens.",
        "",
        f"| source | weight, % | {paper.weights_from}, % | tokens, B | {paper.tokens_from}, B | taken, B | epochs | "
        f"by {paper.tokens_from} | first epoch ends at step |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for domain in plan.domains:
        lines.append(_domain_row(paper, domain))
        lines += [_source_row(paper, forecast, source) for source in domain.sources]
    repeated = ", ".join(
        f"{source.name} at step {forecast.first_epoch_step(source):,}" for _end, source in plan.runs_out()
    )
    lines += ["", f"Sources that begin again: {repeated or 'none'}."]
    return "\n".join(lines) + "\n"


def _domain_row(paper: PaperBlend, domain: PlannedDomain) -> str:
    stated = sum(paper.weights.get(source.name, 0) for source in domain.sources)
    cells = [
        f"**{domain.name}**", f"**{_short(domain.weight_percent)}**", f"**{_short(stated)}**",
        "", "", f"**{domain.tokens / 1e9:.2f}**", "", "", "",
    ]  # fmt: skip
    return _row(cells)


def _source_row(paper: PaperBlend, forecast: BlendForecast, source: PlannedSource) -> str:
    weight, tokens = paper.weights.get(source.name), paper.tokens.get(source.name)
    stated = None
    if weight is not None and tokens:
        stated = weight / 100 * forecast.plan.budget_tokens / (tokens * 1e9)
    step = forecast.first_epoch_step(source)
    return _row(
        [
            source.name,
            _short(source.weight_percent),
            "–" if weight is None else _short(weight),
            f"{source.available / 1e9:.2f}",
            "–" if tokens is None else f"{tokens:.2f}",
            f"{source.tokens / 1e9:.2f}",
            f"{source.epochs:.2f}",
            "–" if stated is None else f"{stated:.2f}",
            "–" if step is None else f"{step:,}",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(percent: float) -> str:
    return f"{percent:.2f}".rstrip("0").rstrip(".")
