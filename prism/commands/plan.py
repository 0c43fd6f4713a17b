"""`prism plan`: what a recipe would take, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.console import wide_console
from prism.commands.options import Overrides, RecipeName

if TYPE_CHECKING:
    from prism.plan.search import Proposal
    from prism.plan.stages import Plan
    from prism.recipe import Recipe


def register(app: typer.Typer) -> None:
    """Adds `plan` to `prism`."""
    app.command()(plan)


def plan(
    recipe: RecipeName,
    stage: Annotated[str | None, typer.Option(help="Plan this stage alone.")] = None,
    search: Annotated[bool, typer.Option("--search", help="Propose the fastest layouts that fit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    overrides: Overrides = None,
) -> None:
    """Show what every stage takes: tokens, memory of each rank, step time, days, disk; and what its gates cost.

    Nothing runs and no GPU is needed: the model is built at its true size of fake tensors, times are a roofline with
    the constants of prism/plan/devices.yaml. Exit code 3 when a stage doesn't fit its devices, with the nearest layout
    that does, or when a blend exceeds data.max_epochs.

    Example: `prism plan llama_3_1_8b/math_code_science --search`
    """
    import json

    from prism.errors import UsageError
    from prism.megatron.backend import install
    from prism.recipe import TRAINING_KINDS, load_recipe

    loaded = load_recipe(recipe, overrides or [])
    if stage is not None and stage not in loaded.pipeline:
        raise UsageError(
            f"there is no stage {stage}", place="--stage", remedy=f"use one of {', '.join(loaded.pipeline)}"
        )
    install()
    from prism.plan.search import search as search_layouts
    from prism.plan.show import as_json as in_json
    from prism.plan.stages import plan as plan_recipe

    planned = plan_recipe(loaded, stage)
    found = {
        one.name: search_layouts(loaded, one.name, planned.vocab_size)
        for one in planned.stages
        if search and one.kind in TRAINING_KINDS
    }
    if as_json:
        print(json.dumps(in_json(planned, found), indent=2))
    else:
        _show(loaded, planned, found)
    _check(loaded, planned, quiet=as_json)


def _show(recipe: Recipe, planned: Plan, found: dict[str, list[Proposal]]) -> None:
    from prism.plan.show import options, proposals, rl_lines, tables
    from prism.recipe import TRAINING_KINDS
    from prism.recipe.retention_checks import retention_cost

    console = wide_console()
    console.print(f"{planned.name}: {planned.parameters:,} parameters, {planned.vocab_size:,} tokens of vocabulary")
    for table in tables(planned):
        console.print()
        console.print(table)
    console.print()
    for one in planned.stages:
        for line in rl_lines(one):
            console.print(line, highlight=False)
    gates: dict[str, list[str]] = {}
    for name in (one.name for one in planned.stages if one.kind in TRAINING_KINDS and one.parent is not None):
        config = recipe.training_config(name)
        if config.retention is not None:
            every, share = config.retention.interval(config.steps), retention_cost(config)
            gates.setdefault(f"a look every {every:,} steps, at most {share:.2%} of the work", []).append(name)
    for cost, names in gates.items():
        console.print(f"retention gate of {', '.join(names)}: {cost}", highlight=False)
    for name, layouts in found.items():
        console.print()
        console.print(proposals(name, layouts))
        for line in options(name, layouts):
            console.print(line, highlight=False, soft_wrap=True)


def _check(recipe: Recipe, planned: Plan, *, quiet: bool) -> None:
    """Epochs of every blend, then whether every stage fits.

    Raises:
        GateRefused: a stage doesn't fit, or a blend exceeds data.max_epochs.
    """
    from data_prep.blend.plan import check_epochs
    from data_prep.errors import DataError
    from prism.errors import GateRefused
    from prism.pipeline.budgets import blend_uses, forecast
    from prism.plan.memory import GIB
    from prism.plan.search import nearest
    from prism.plan.show import layout

    console = wide_console(quiet=quiet)
    for use in blend_uses(recipe):
        try:
            blend = forecast(recipe, use.blend, use.tokens)
        except DataError as error:
            console.print(f"epochs of {use.blend}: not known yet: {error.message}", highlight=False)
            continue
        shown = ", ".join(f"{source.name} {source.epochs:.2f}" for source in blend.sources)
        console.print(f"epochs of {use.blend} at {blend.budget_tokens:,} tokens: {shown}", highlight=False)
        check_epochs(blend, recipe.data.max_epochs, use.tokens_per_step)
    for one in planned.stages:
        if one.fits:
            continue
        fitting = nearest(recipe, one.name, planned.vocab_size)
        remedy = "use more devices, or devices with more memory: no layout of these fits"
        if fitting is not None:
            remedy = (
                f"the nearest layout that fits is {layout(fitting.plan)} with "
                f"{fitting.plan.worst.memory.total / GIB:.1f} GiB: {fitting.overrides(one.name)}"
            )
        raise GateRefused(
            f"a rank takes {one.worst.memory.total / GIB:.1f} GiB, more than the {one.device_gib:g} GiB of a "
            f"{one.cluster.device}",
            place=f"pipeline.{one.name}",
            remedy=remedy,
        )
