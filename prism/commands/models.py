"""`prism models`: which there are, their true size, and their published weights on this disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prism.commands.options import Overrides, RecipeName

app = typer.Typer(help="Model families, a model's true size, and its published weights.", no_args_is_help=True)


@app.command("list")
def list_families() -> None:
    """List the families whose Hugging Face checkpoints can be converted.

    Example: `prism models list`
    """
    from prism.models.family import FAMILIES

    for name, family in FAMILIES.items():
        print(f"{name:20} {family.model_type:18} {family.architecture}")


@app.command()
def check(
    recipe: RecipeName,
    world: Annotated[int | None, typer.Option(help="Processes; cluster.processes by default.", min=1)] = None,
    overrides: Overrides = None,
) -> None:
    """Build a recipe's model at its true size, without memory, on every pipeline rank; count its parameters.

    Example: `prism models check llama_3_1_8b/math --world 128`
    """
    from rich.console import Console
    from rich.table import Table

    from prism.megatron.true_size import check_size
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    size = check_size(loaded.model, loaded.cluster, world or loaded.cluster.processes)
    console = Console()
    table = Table("pipeline rank", box=None, pad_edge=False)
    for title in ("layers", "parameters on a rank", "padding", "tied copies"):
        table.add_column(title, justify="right")
    for rank, stage in enumerate(size.stages):
        cells = [stage.layers, stage.parameters, stage.padding, stage.tied]
        table.add_row(str(rank), *(f"{cell:,}" for cell in cells))
    console.print(table)
    console.print(f"{size.parameters:,} parameters in all, without padding and copies")


@app.command()
def fetch(
    recipe: RecipeName,
    overrides: Overrides = None,
    stage: Annotated[list[str] | None, typer.Option("--stage", help="Only this import stage. May be repeated.")] = None,
    to: Annotated[
        Path | None, typer.Option("--to", "--out", help="Folder of models. Default: where the recipe reads them.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Copy from this folder of fetched models, such as a shared disk.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="No network: check that all is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say commit and size; fetch nothing.")] = False,
) -> None:
    """Bring the models that a recipe's import stages name to a disk, at a pinned commit. Resumes; gated models take
    HF_TOKEN. Exit code 4 when a model can't be had, 5 when the disk is full.

    Example: `prism models fetch llama_3_1_8b/math --to /shared/models`
    """
    from rich.console import Console

    from data_prep.fetch import copy_source, fetch_source, plan_source, readable
    from prism.commands.transfer import progress_bar
    from prism.models.fetch import check_weights, model_requests
    from prism.recipe import load_recipe

    console = Console()
    for request in model_requests(load_recipe(recipe, overrides or []), stage or []):
        if dry_run:
            plan = plan_source(request, to, offline=offline, source=origin)
            sizes = f"{plan.files} files, {readable(plan.bytes)}, {readable(plan.missing_bytes)} to fetch"
            print(f"{request.name}: {request.hub} at {plan.commit or request.revision}, {sizes}")
            continue
        with progress_bar(request.name, console) as progress:
            if origin is not None:
                report = copy_source(request, origin, to, log=print, progress=progress)
            else:
                report = fetch_source(request, to, log=print, offline=offline, progress=progress)
        check_weights(report.folder)
        if request.revision != report.commit:
            print(f"{request.name}: {request.revision} is {report.commit}; state that as its revision to stay with it")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A fetched model's folder.", exists=True, file_okay=False)],
) -> None:
    """Read every byte of a fetched model and hold it to the hashes of its record. Exit code 4 when a file differs.

    Example: `prism models verify models/llama_3_1_8b`
    """
    from data_prep.fetch import faults, readable, record_of
    from prism.errors import BadInput
    from prism.models.fetch import check_weights

    record, wrong = record_of(folder), []
    for file, fault in faults(folder, record):
        print(f"{file.path}: {fault or f'ok, {readable(file.size)}'}")
        wrong += [file.path] if fault else []
    if wrong:
        raise BadInput(
            f"{len(wrong)} of {len(record.files)} files aren't what was fetched: {', '.join(wrong[:3])}",
            place=str(folder),
            remedy="delete them and run `prism models fetch` again: it brings those alone",
        )
    check_weights(folder)
    print(f"{folder}: {record.hub} at {record.commit}, {readable(record.bytes)}, as it was fetched")


@app.command()
def recipe(
    folder: Annotated[
        Path, typer.Argument(help="A published model's folder, with config.json.", exists=True, file_okay=False)
    ],
) -> None:
    """Print the recipe fragment of a published model: its shapes, its tokenizer, the stage that imports it.

    Example: `prism models recipe models/my_model > my_model.yaml`
    """
    from prism.models.fragment import recipe_fragment

    print(recipe_fragment(folder), end="")
