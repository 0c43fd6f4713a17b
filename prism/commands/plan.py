"""`prism plan`: what a recipe would take, before anything runs."""

from __future__ import annotations

import typer

from prism.commands.options import Overrides, RecipeName


def register(app: typer.Typer) -> None:
    """Adds `plan` to `prism`."""
    app.command()(plan)


def plan(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Show tokens, steps, epochs, parameters, memory of weights and optimizer, and what the retention gate costs.

    Nothing runs. Activations and step times aren't estimated yet. Exit code 3 when a blend exceeds data.max_epochs, or
    when an RL stage's placement doesn't fit the memory of a GPU.

    Example: `prism plan llama_3_1_8b/math_code_science`
    """
    from rich.console import Console
    from rich.table import Table

    from data_prep.blend.plan import check_epochs
    from prism.pipeline.budgets import blend_uses, forecast
    from prism.pipeline.rl_memory import check_rl_memory, in_words
    from prism.pipeline.sizes import parameter_count, state_bytes
    from prism.recipe import TRAINING_KINDS, load_recipe
    from prism.recipe.retention_checks import retention_cost

    loaded = load_recipe(recipe, overrides or [])
    console = Console()
    parameters = parameter_count(loaded.model)
    shards = loaded.cluster.tensor_parallel * loaded.cluster.pipeline_parallel
    console.print(
        f"{loaded.run.name}: {parameters:,} parameters" + ("" if loaded.model.vocab_size else " without the vocabulary")
    )
    table = Table("stage", "kind", "from", box=None, pad_edge=False)
    for title in ("steps", "sequence", "global batch", "tokens", "weights + optimizer a rank"):
        table.add_column(title, justify="right")
    for name, node in loaded.pipeline.items():
        cells = [name, node.stage, node.parent or "-"]
        if node.stage in TRAINING_KINDS:
            config = loaded.training_config(name)
            memory = state_bytes(parameters, config.precision) / shards
            cells += [
                f"{config.steps:,}",
                f"{config.sequence_length:,}",
                f"{config.global_batch_size:,}",
                f"{config.tokens:,}",
                f"{memory / 2**30:.2f} GiB",
            ]
        elif node.stage == "rl":
            rl = loaded.rl_config(name)
            memory = state_bytes(parameters, rl.precision) / shards
            responses = rl.prompts_per_step * rl.responses_per_prompt
            cells += [
                f"{rl.steps:,}",
                f"<= {rl.max_response_tokens:,}",
                f"{responses:,}",
                "",
                f"{memory / 2**30:.2f} GiB",
            ]
        table.add_row(*cells)
    console.print(table)
    gates: dict[str, list[str]] = {}
    for name, node in loaded.pipeline.items():
        if node.stage not in TRAINING_KINDS or node.parent is None:
            continue
        config = loaded.training_config(name)
        if config.retention is not None:
            every, share = config.retention.interval(config.steps), retention_cost(config)
            gates.setdefault(f"a look every {every:,} steps, at most {share:.2%} of the work", []).append(name)
    for cost, names in gates.items():
        console.print(f"retention gate of {', '.join(names)}: {cost}", highlight=False)
    for name in [name for name, node in loaded.pipeline.items() if node.stage == "rl"]:
        needed = check_rl_memory(loaded, name)
        for phase in needed.phases:
            console.print(f"{name}, {in_words(phase)}", highlight=False)
        console.print(f"{name}: caches for {needed.sequences:.1f} sequences of full length", highlight=False)
    for use in blend_uses(loaded):
        planned = forecast(loaded, use.blend, use.tokens)
        shown = ", ".join(f"{source.name} {source.epochs:.2f}" for source in planned.sources)
        console.print(f"epochs of {use.blend} at {planned.budget_tokens:,} tokens: {shown}", highlight=False)
        check_epochs(planned, loaded.data.max_epochs, use.tokens_per_step)
