"""A planned blend as a tree for the terminal: blend, domains, sources, verdict."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from data_prep.blend.plan import PlannedSource
from prism.report.forecast import BlendForecast
from prism.report.numbers import decimal, short


def blend_tree(forecast: BlendForecast) -> RenderableType:
    """The tree, then the verdict, then what would do instead where the blend is refused."""
    plan = forecast.plan
    head = f"{plan.budget_tokens:,} tokens, {forecast.steps:,} steps of {forecast.tokens_per_step:,}"
    tree = Tree(Text.assemble((forecast.title, "bold"), f"  {head}  ({forecast.used_by})"))
    rows = _aligned([_cells(forecast, source) for source in plan.sources])
    written = dict(zip((source.name for source in plan.sources), rows, strict=True))
    for domain in plan.domains:
        name = Text.assemble((domain.name, "cyan"), f"  {_percent(domain.weight_percent)}  {short(domain.tokens)}")
        branch = tree.add(name)
        for source in domain.sources:
            over = forecast.repeats_too_often(source)
            branch.add(Text(written[source.name], style="bold red" if over else ""))
    refused = forecast.refusal
    verdict: list[RenderableType] = [tree, Text(forecast.verdict, style="green" if refused is None else "bold red")]
    if refused is not None:
        capped = refused.yaml(indent="    ")
        first = "cap, and spread what is freed; in place of the old blend:" if capped else refused.too_small
        verdict += [Text(f"(a) {first}"), *([Text(capped.rstrip("\n"))] if capped else [])]
        verdict.append(Text(f"(b) {refused.smaller_budget(forecast.tokens_per_step)}"))
        verdict.append(Text(f"(c) {refused.more_epochs()}"))
    return Group(*verdict)


def _cells(forecast: BlendForecast, source: PlannedSource) -> tuple[str, ...]:
    step = forecast.first_epoch_step(source)
    end = f"first epoch ends at step {step:,} of {forecast.steps:,}" if step is not None else ""
    over = "  too often" if forecast.repeats_too_often(source) else ""
    return (
        source.name,
        _percent(source.weight_percent),
        f"{short(source.tokens)} of {short(source.available)}",
        f"{decimal(source.epochs, 2)} epochs",
        end + over,
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Names and the last column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell.ljust(width) if index in (0, last) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _percent(weight: float) -> str:
    return f"{weight:.2f}".rstrip("0").rstrip(".") + " %"
