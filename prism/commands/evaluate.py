"""`prism eval`: a recipe's stages on its tasks, or any checkpoint, published model or server on tasks by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prism.commands.options import Overrides

if TYPE_CHECKING:
    from prism.evaluate.subject import Subject

Stages = Annotated[
    list[str] | None, typer.Option("--stage", help="Of a recipe: only this stage and what it needs. May be repeated.")
]


@dataclass(frozen=True)
class _Wish:
    """What is to be evaluated where."""

    tasks: Sequence[str]
    limit: int | None
    out: Path


def evaluate_command(of_recipe: Callable[..., None]) -> Callable[..., None]:
    """The command. Args: of_recipe: evaluates a recipe's stages."""

    def evaluate(
        what: Annotated[str, typer.Argument(help="RECIPE, RUN:STAGE, or a Hugging Face folder.", metavar="WHAT")],
        overrides: Overrides = None,
        stages: Stages = None,
        tasks: Annotated[
            str | None, typer.Option(help="Tasks and suites, with commas between; names or paths of YAML files.")
        ] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="Most prompts a task.")] = None,
        out: Annotated[Path | None, typer.Option(help="Folder of results. Default: evaluation/NAME.")] = None,
        server: Annotated[
            str | None, typer.Option(help="URL of an OpenAI-compatible server; the folder is then its tokenizer's.")
        ] = None,
        model: Annotated[str | None, typer.Option(help="The model's name at the server.")] = None,
        context_length: Annotated[
            int | None, typer.Option(min=4, help="Of the server, where it doesn't say it itself.")
        ] = None,
        tensor_parallel: Annotated[int, typer.Option("--tp", min=1, help="Of a folder's model: tensor parallel.")] = 1,
        pipeline_parallel: Annotated[int, typer.Option("--pp", min=1, help="And pipeline parallel.")] = 1,
        precision: Annotated[Literal["fp32", "bf16"], typer.Option(help="Of a folder's model.")] = "fp32",
    ) -> None:
        """Evaluate: every stage of a recipe with what it needs, or one checkpoint, folder or server on tasks by name.

        With --tasks it prints a table with 95% intervals; results and samples are in --out, where the same call goes on
        after a kill. Under torchrun, ranks beyond --tp x --pp share the requests.

        Example: `prism eval miniature`; `prism eval runs/miniature:rl --tasks gsm8k`;
        `prism eval models/llama --tasks general_v1 --limit 100`;
        `prism eval models/llama --server http://localhost:8000 --model llama --tasks general_v2`
        """
        from prism.errors import UsageError

        if tasks is None:
            if server is not None or out is not None or limit is not None:
                raise UsageError(
                    "no tasks are named", place="prism eval", remedy="add --tasks; a recipe names its own in `evaluate`"
                )
            of_recipe(what, overrides, stages)
            return
        wish = _Wish(tasks.split(","), limit, out or Path("evaluation") / _name(model or what))
        if server is not None:
            _server(wish, what, server, model, context_length)
        else:
            _named(wish, what, overrides or [], (tensor_parallel, pipeline_parallel), precision)

    return evaluate


def _server(wish: _Wish, what: str, server: str, model: str | None, context_length: int | None) -> None:
    from prism.errors import UsageError

    if model is None or not (Path(what) / "tokenizer.json").is_file():
        raise UsageError(
            "a server's model needs a name and a tokenizer",
            place="prism eval --server",
            remedy="prism eval FOLDER_WITH_TOKENIZER --server URL --model NAME --tasks ...",
        )
    from prism.evaluate.subject import server_subject

    _evaluate(wish, server_subject(server, model, Path(what), context_length))


def _named(wish: _Wish, what: str, overrides: Sequence[str], parallel: tuple[int, int], precision: str) -> None:
    """A stage is spread as its recipe says, a folder as the command does."""
    import shutil

    from prism.recipe.named import is_model_folder, require_models

    require_models([what], overrides)
    from prism.evaluate.named import named_model
    from prism.megatron.checkpoint.ranks import is_first
    from prism.megatron.parallel import Layout, process_groups

    layout = Layout(tensor=parallel[0], pipeline=parallel[1]) if is_model_folder(what) else None
    model, work = named_model(what, overrides, layout=layout, precision=precision), wish.out / "weights"
    with process_groups(model.layout, model.seed):
        _evaluate(wish, model.open(work))
        if is_first():
            shutil.rmtree(work, ignore_errors=True)


def _evaluate(wish: _Wish, subject: Subject) -> None:
    """Prints the results that there are, also where some tasks couldn't run."""
    from prism.commands.console import tell_progress
    from prism.evaluate.runner import evaluate_tasks
    from prism.evaluate.task import load_tasks
    from prism.megatron.checkpoint.ranks import is_first

    tell_progress(is_first())
    tasks = load_tasks(wish.tasks)
    try:
        evaluate_tasks(subject, tasks, wish.out, wish.limit)
    finally:
        if is_first():
            _show(wish.out, [task.name for task in tasks])


def _show(folder: Path, names: Sequence[str]) -> None:
    from rich.table import Table

    from data_prep.files import read_json
    from prism.commands.console import wide_console

    table = Table("task", "metric", box=None, pad_edge=False)
    for title in ("value", "95% interval", "standard error", "prompts"):
        table.add_column(title, justify="right")
    found = {name: read_json(folder / f"{name}.json") for name in names if (folder / f"{name}.json").is_file()}
    for name, result in found.items():
        for metric, row in result["metrics"].items():
            table.add_row(name, metric, *_cells(row), f"{result['prompts']:,}")
        for group, metric, row, prompts in _grouped(result):
            table.add_row(name, f"{metric}, {group}", *_cells(row), f"{prompts:,}")
    if found:
        console = wide_console()
        console.print(table)
        for name, result in found.items():
            if told := "; ".join(f"{count:,} {reason}" for reason, count in result.get("left_out", {}).items()):
                console.print(f"{name} leaves out, of the data's rows: {told}", highlight=False, soft_wrap=True)
        console.print(f"made: {folder}", highlight=False, soft_wrap=True)


def _grouped(result: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], int]]:
    """Each group's name, main metric, its value, and the group's prompts."""
    for what, groups in result.get("groups", {}).items():
        for value, own in groups.items():
            for metric in ("pass_rate", "pass_rate_greedy"):
                if metric in own["metrics"]:
                    yield f"{what} {value}", metric, own["metrics"][metric], own["prompts"]


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    error = row.get("stderr")
    return f"{row['value']:.4f}", f"{row['low']:.4f} to {row['high']:.4f}", "-" if error is None else f"{error:.4f}"


def _name(what: str) -> str:
    """A folder's name of a folder, RUN:STAGE or model."""
    return what.rstrip("/").rpartition("/")[2].replace(":", ".")
