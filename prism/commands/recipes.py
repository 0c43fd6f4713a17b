"""`prism recipes`: list, show, schema, validate, migrate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at recipes and check them.", no_args_is_help=True)

Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override a key, such as midtrain.steps=100.")]


@app.command("list")
def list_recipes() -> None:
    """List the packaged recipes.

    Example: `prism recipes list`
    """
    from prism.recipe.compose import packaged

    for name in packaged():
        print(name)


@app.command()
def show(recipe: Annotated[str, typer.Argument(help="Name or path.")], overrides: Overrides = None) -> None:
    """Print a recipe with its fragments and overrides composed.

    Example: `prism recipes show miniature --set midtrain.steps=100`
    """
    from prism.recipe.compose import compose, dump

    print(dump(compose(recipe, overrides or []).values), end="")


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes; editors complete and check YAML with it.

    Example: `prism recipes schema > recipe.schema.json`
    """
    from prism.recipe import Recipe

    print(json.dumps(Recipe.model_json_schema(by_alias=True), indent=1))


@app.command()
def validate(
    recipes: Annotated[list[str], typer.Argument(help="Names or paths.")],
    overrides: Overrides = None,
    files: Annotated[bool, typer.Option(help="Also check that the files they name exist.")] = True,
) -> None:
    """Check recipes: one line an error, exit code 2 if there is any.

    Example: `prism recipes validate miniature my_recipe.yaml`
    """
    from prism.errors import RecipeError
    from prism.recipe import load_recipe

    failed = False
    for recipe in recipes:
        try:
            load_recipe(recipe, overrides or [], files=files)
            print(f"{recipe}: valid")
        except RecipeError as error:
            failed = True
            for line in str(error).splitlines():
                print(f"error: {line}", file=sys.stderr)
    if failed:
        raise typer.Exit(2)


@app.command()
def migrate(
    files: Annotated[list[Path], typer.Argument(help="Recipes, fragments, or folders of them.", exists=True)],
    check: Annotated[bool, typer.Option("--check", help="Only say which are old; exit code 1 if any is.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write them in place.")] = False,
) -> None:
    """Rewrite recipes to this release's schema version; comments and layout stay. Shows what would change.

    Older recipes run as they are; they are migrated while they are read.

    Example: `prism recipes migrate my_recipes --write`
    """
    from prism.recipe.migrate import change_of, recipe_files, write_change

    old = [change for file in recipe_files(files) if (change := change_of(file)) is not None]
    for change in old:
        if write:
            write_change(change)
        print(f"{change.file}: {'written' if write else 'old'}" if check or write else change.diff())
    if not old:
        print("all are of this release's schema version")
    if check and not write and old:
        raise typer.Exit(1)
