"""`prism nemo`: a training stage as NeMo's recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prism.commands.options import Overrides, RecipeName

if TYPE_CHECKING:
    from prism.nemo.training.settings import Places
    from prism.nemo.training.values import NemoSettings
    from prism.recipe import Recipe

app = typer.Typer(help="Training stages as NeMo recipes: what is mapped, and what isn't.", no_args_is_help=True)

Stage = Annotated[str | None, typer.Option(help="Training stage of the pipeline; needed where there are several.")]
Form = Literal["yaml", "json", "python", "nemo"]


@app.command()
def recipe(
    recipe: RecipeName,
    stage: Stage = None,
    out: Annotated[Path | None, typer.Option(help="File to write in place of the screen.")] = None,
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="yaml or json: the settings; python: a program that builds them; nemo: NeMo's own text, where NeMo is "
            "installed.",
        ),
    ] = "yaml",
    overrides: Overrides = None,
) -> None:
    """Print or save a training stage as a recipe of NeMo's for the same model. `midtrain.engine` may be either.

    Example: `prism nemo recipe nemotron_h_8b/math --set midtrain.retention=null --format python`
    """
    from data_prep.files import write_text
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    text = _text(_settings(loaded, stage or _only_stage(loaded)), form)
    if out is None:
        print(text, end="")
        return
    write_text(out, text)
    print(f"made: {out}")


@app.command()
def support(recipe: RecipeName, stage: Stage = None, overrides: Overrides = None) -> None:
    """List every key of a stage: NeMo's path for it, or that NeMo refuses it or passes over it. Exit code 2: refused.

    Example: `prism nemo support llama_3_1_8b/math`
    """
    from prism.nemo.training.coverage import coverage
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    name = stage or _only_stage(loaded)
    rows = coverage(loaded, name)
    width = max(len(row.key) for row in rows)
    for row in rows:
        print(f"{row.key:{width}}  {row.fate:12}  {row.what}")
    refused = [row.key for row in rows if row.fate == "refused"]
    print(f"{len(rows)} keys, {len(refused) or 'none'} of them refused{': ' + ', '.join(refused) if refused else ''}")
    if refused:
        raise typer.Exit(2)


def _settings(recipe: Recipe, stage: str) -> NemoSettings:
    from prism.nemo.training.settings import nemo_settings

    return nemo_settings(recipe, stage, _places(recipe, stage))


def _places(recipe: Recipe, stage: str) -> Places:
    """Those of the run where its data are prepared; else the blend as it is planned."""
    from data_prep.schema import lock_name
    from prism.nemo.training.blend import locked_blend
    from prism.nemo.training.settings import Places
    from prism.pipeline.budgets import forecast

    training = recipe.training_config(stage)
    folder = (recipe.stage_directory(stage) / "nemo").resolve()
    rows = recipe.model.vocab_size or recipe.data.tokenizer.vocab_size
    if (recipe.data_directory / "blends" / lock_name(training.blend, training.pack)).is_file():
        return Places(folder, locked_blend(recipe, stage), rows)
    sources = (recipe.data_directory / "sources").resolve()
    planned = forecast(recipe, training.blend).sources
    return Places(folder, [(source.weight_percent, str(sources / source.name)) for source in planned], rows)


def _text(settings: NemoSettings, form: Form) -> str:
    from prism.nemo.training.values import python_source

    if form == "python":
        return python_source(settings)
    if form == "nemo":
        from prism.nemo.training.build import as_yaml, build
        from prism.nemo.training.environment import require_nemo

        require_nemo()
        return as_yaml(build(settings))
    if form == "json":
        import json

        return json.dumps(settings.plain(), indent=2) + "\n"
    import yaml

    return str(yaml.safe_dump(settings.plain(), sort_keys=False, width=120))


def _only_stage(recipe: Recipe) -> str:
    from prism.errors import UsageError
    from prism.recipe import TRAINING_KINDS

    found = [name for name, node in recipe.pipeline.items() if node.stage in TRAINING_KINDS]
    if len(found) != 1:
        raise UsageError(
            f"the recipe has {len(found) or 'no'} training stages",
            place="pipeline",
            remedy=f"name one with --stage: {', '.join(found)}" if found else "add one",
        )
    return found[0]
