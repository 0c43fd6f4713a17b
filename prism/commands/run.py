"""`prism run`, `prism demo`, and the commands that run a part of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

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
    app.command("eval")(evaluate_command(_of_nodes("evaluate:")))
    app.command("analyze", help=stage_help("Compare weights and representations between stages", "analyze"))(
        _of_nodes("analyze:")
    )
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
    run_directory: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")],
) -> None:
    """Write a run's report.html and summary.json anew from what it has so far.

    Example: `prism report runs/miniature`
    """
    from prism.report import write_report

    print(write_report(run_directory))


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


def _of_nodes(prefix: str) -> Callable[..., None]:
    def command(recipe: RecipeName, overrides: Overrides = None, stages: Stages = None) -> None:
        def wanted(loaded: Any) -> list[str]:
            from prism.pipeline.graph import build_graph

            names = [name for name in build_graph(loaded) if name.startswith(prefix)]
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
