"""`prism run`, `prism demo`, and the commands that run a part of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from prism.commands.evaluate import evaluate_command
from prism.commands.merge import merge_command
from prism.commands.options import Overrides, RecipeName

Stages = Annotated[
    list[str] | None, typer.Option("--stage", help="Only this stage and what it needs. May be repeated.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file to `prism`."""
    app.command()(run)
    app.command()(demo)
    for name, kinds, sentence in (
        ("midtrain", ("pretrain", "midtrain"), "Train the pre-training and mid-training stages"),
        ("extend", ("extend",), "Train the long-context stages"),
    ):
        app.command(name, help=stage_help(sentence, name))(of_kinds(kinds))
    app.command("merge")(merge_command(of_kinds(("merge",))))
    app.command("eval")(evaluate_command(of_nodes("evaluate:")))
    app.command()(report)


def run(
    recipe: RecipeName,
    overrides: Overrides = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this node and what it needs. May be repeated.")] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of another run: what it did alike is taken from there. May be repeated."),
    ] = None,
) -> None:
    """Run a recipe from raw data to report; what is finished and unchanged is skipped.

    Example: `prism run recipes/real_small.yaml --set run.seed=2`
    """
    _run(recipe, overrides or [], only, reuse or ())


def demo(
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="The attention-Mamba hybrid instead of the dense model.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the world and the run.")] = 1,
    overrides: Overrides = None,
) -> None:
    """Run the miniature: the paper's story on two CPU cores in minutes.

    Example: `prism demo --seed 2`
    """
    name = "miniature_hybrid" if hybrid else "miniature"
    folder = name if seed == 1 else f"{name}-seed{seed}"
    _run(name, [f"run.seed={seed}", f"run.name={folder}", *(overrides or [])], None)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folder of a run; of several, to compare them.", metavar="RUN...")],
    out: Annotated[
        Path | None, typer.Option(help="Folder or .html file of a comparison; folder for the tables, a file each.")
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="Print the paper's tables for the run instead, with the paper's figures.")
    ] = False,
    form: Annotated[
        Literal["markdown", "latex"] | None, typer.Option("--format", help="Of the tables; markdown by default.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only these tables, by their numbers in the paper, such as 6,12.")
    ] = None,
) -> None:
    """Write a run's report.html and summary.json anew from what it has so far, or compare.html of several runs.

    With `--tables`, print the paper's tables for a run instead.

    Example: `prism report runs/miniature`, `prism report runs/miniature --tables --only 6,12 --format latex`
    """
    from prism.errors import UsageError

    if tables:
        if len(runs) > 1:
            raise UsageError("--tables takes one run", place="prism report", remedy="call it once for each")
        _tables(runs[0], form or "markdown", only, out)
        return
    given = [name for name, value in (("--format", form), ("--only", only)) if value is not None]
    if given:
        raise UsageError(f"{given[0]} goes with --tables", place="prism report", remedy="add --tables, or leave it out")
    from prism.report import write_comparison, write_report

    print(write_report(runs[0]) if len(runs) == 1 else write_comparison(runs, out or Path()))


def _tables(run_directory: Path, form: Literal["markdown", "latex"], only: str | None, out: Path | None) -> None:
    from prism.report import load_results
    from prism.report.tables import FORMATS, build_tables, write_tables

    made = build_tables(load_results(run_directory), _numbers(only))
    if out is None:
        print("\n".join(FORMATS[form][1](table) for table in made), end="")
        return
    for path in write_tables(made, out, form):
        print(path)


def _numbers(only: str | None) -> list[int]:
    """6,12 -> 6 and 12."""
    try:
        return [int(number) for number in (only or "").split(",") if number.strip()]
    except ValueError:
        from prism.errors import UsageError

        raise UsageError(f"{only} isn't a list of numbers", place="--only", remedy="such as --only 6,12") from None


def stage_help(sentence: str, command: str) -> str:
    """The help of a command that runs a part of the graph."""
    return f"{sentence} of a recipe, with what they need.\n\nExample: `prism {command} miniature`"


def of_kinds(kinds: Sequence[str]) -> Callable[..., None]:
    """A command that runs a recipe's stages of these kinds, with what they need."""

    def command(recipe: RecipeName, overrides: Overrides = None, stages: Stages = None) -> None:
        def wanted(loaded: Any) -> list[str]:
            return [
                name for name, node in loaded.pipeline.items() if node.stage in kinds and name in (stages or [name])
            ]

        _run_nodes(recipe, overrides or [], wanted)

    return command


def of_nodes(*prefixes: str) -> Callable[..., None]:
    """A command that runs a recipe's nodes whose names begin so, with what they need."""

    def command(recipe: RecipeName, overrides: Overrides = None, stages: Stages = None) -> None:
        def wanted(loaded: Any) -> list[str]:
            from prism.pipeline.graph import build_graph

            names = [name for name in build_graph(loaded) if name.startswith(prefixes)]
            return [name for name in names if not stages or set(name.split(":")[1:]) & set(stages)]

        _run_nodes(recipe, overrides or [], wanted)

    return command


def _run_nodes(recipe: str, overrides: Sequence[str], wanted: Callable[[Any], list[str]]) -> None:
    from prism.errors import UsageError
    from prism.recipe import load_recipe

    names = wanted(load_recipe(recipe, overrides))
    if not names:
        raise UsageError(
            "the recipe has no such stage", place=recipe, remedy="see its pipeline: `prism recipes show RECIPE`"
        )
    _run(recipe, overrides, names)


def _run(recipe: str, overrides: Sequence[str], only: Sequence[str] | None, reuse_from: Sequence[Path] = ()) -> None:
    from prism.commands.summary import print_summary
    from prism.pipeline.run import run as run_recipe
    from prism.recipe import load_recipe

    done = run_recipe(load_recipe(recipe, overrides, files=True), only=only, reuse_from=reuse_from)
    print_summary(done)
