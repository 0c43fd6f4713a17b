"""`prism analyze cka`: how alike the representations of any models are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prism.commands.analyze.options import Csv, Json, Names, Pipeline, Precision, Tensor

if TYPE_CHECKING:
    from prism.evaluate.named import NamedModel


def cka(
    models: Annotated[list[str], typer.Argument(help="RUN:STAGE or Hugging Face folders.", metavar="A B [C...]")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--inputs", help="NAME=FILE: JSON lines with text, or prompt and answer. May be repeated."),
    ] = None,
    count: Annotated[int, typer.Option(min=4, help="Inputs of each set.")] = 200,
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap draws of half of the inputs.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 1,
    by: Annotated[
        Literal["layer", "matrix"], typer.Option(help="matrix: models of different depth, every layer with every one.")
    ] = "layer",
    layers: Annotated[bool, typer.Option("--layers", help="A table by layer too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of kept hidden states. Default: hidden, beside --json.")
    ] = None,
    json: Json = None,
    csv: Csv = None,
    names: Names = None,
    tensor_parallel: Tensor = 1,
    pipeline_parallel: Pipeline = 1,
    precision: Precision = "fp32",
) -> None:
    """Show how alike the representations of two or more models are: linear CKA of mean-pooled hidden states.

    Every pair, on every input set, plain and debiased, layer beside layer with a bootstrap interval, and every layer
    with every other one in --json and --csv. Without --inputs the sets are those of the first run's recipe.

    Example: `prism analyze cka runs/miniature:base runs/miniature:mid`;
    `prism analyze cka models/base exports/rl --inputs gsm8k=data/gsm8k/test.jsonl --json cka.json`
    """
    from prism.errors import UsageError
    from prism.recipe.named import require_models

    if len(models) < 2:
        raise UsageError("a model is compared with another", place="prism analyze cka", remedy="give A B")
    require_models(models)
    from prism.analyze.hidden import input_texts
    from prism.analyze.models import compare_models, rows
    from prism.analyze.representations import SCHEMA_VERSION
    from prism.commands.analyze import given
    from prism.evaluate.named import named_model
    from prism.megatron.parallel import Layout

    layout = Layout(tensor=tensor_parallel, pipeline=pipeline_parallel)
    named = [named_model(text, layout=layout, precision=precision) for text in models]
    called = given.called(models, names)
    sets = _sets(inputs, named)
    texts = {name: input_texts(path, count) for name, path in sets.items()}
    file = given.file(json)
    kept = out or (file.parent if file is not None else Path("analysis")) / "hidden"
    done = compare_models(named, called, texts, kept, resamples, seed, by_layer=by == "layer")
    content = {
        "schema_version": SCHEMA_VERSION,
        "checkpoints": done.checkpoints,
        "inputs": {name: {"path": str(path), "count": len(texts[name])} for name, path in sets.items()},
        "resamples": resamples,
        "seed": seed,
        "precision": precision,
        "comparisons": done.comparisons,
    }
    if done.first and done.comparisons and not given.written(json, csv, content, rows(done.comparisons)):
        for one in done.comparisons:
            _show(one, layers=layers)
    if done.failed:
        raise done.failed[0]


def _sets(inputs: Sequence[str] | None, named: Sequence[NamedModel]) -> dict[str, Path]:
    from prism.errors import UsageError

    if inputs:
        found = [one.partition("=") for one in inputs]
        wrong = next(("=".join(one[::2]) for one in found if not all(one)), None)
        if wrong is not None or len({name for name, _, _ in found}) < len(found):
            raise UsageError(
                f"{wrong!r} isn't NAME=FILE" if wrong is not None else "two sets have one name",
                place="--inputs",
                remedy="write --inputs gsm8k=data/gsm8k/test.jsonl",
            )
        return {name: Path(path) for name, _, path in found}
    recipe = next((model.recipe for model in named if model.recipe is not None), None)
    if recipe is None or not recipe.analyze.cka.sets:
        raise UsageError(
            "no input sets: " + ("no run was named" if recipe is None else "the run's recipe names none"),
            place="prism analyze cka",
            remedy="add --inputs NAME=FILE, JSON lines with a column text",
        )
    return {name: recipe.resolve(path) for name, path in recipe.analyze.cka.sets.items()}


def _show(one: Mapping[str, Any], *, layers: bool) -> None:
    from prism.commands.console import print_table

    pair = f"{one['before']} -> {one['after']}"
    if not any(inputs["layers"] for inputs in one["inputs"]):
        for inputs in one["inputs"]:
            print_table(
                f"{pair} on {inputs['name']}: the most alike layer",
                [f"layer of {one['before']}", f"layer of {one['after']}", "CKA", "debiased"],
                [_most_alike(*row) for row in enumerate(zip(inputs["matrix"], inputs["debiased_matrix"], strict=True))],
            )
        return
    rows = []
    for inputs in one["inputs"]:
        least = min(inputs["layers"], key=lambda row: row["cka"])
        mean = sum(row["cka"] for row in inputs["layers"]) / len(inputs["layers"])
        last = inputs["layers"][-1]
        cells = [_fixed(least["cka"]), _between(least), str(least["layer"]), _fixed(mean), _fixed(last["cka"])]
        rows.append([inputs["name"], str(inputs["count"]), *cells, _fixed(least["debiased"])])
    columns = ["inputs", "count", "least CKA", "95% interval", "at layer", "mean", "last layer", "least, debiased"]
    print_table(f"{pair}: linear CKA of mean-pooled hidden states", columns, rows)
    for inputs in one["inputs"] if layers else ():
        table = [
            [str(row["layer"]), _fixed(row["cka"]), _between(row), _fixed(row["debiased"])] for row in inputs["layers"]
        ]
        print_table(f"{pair} on {inputs['name']}", ["layer", "CKA", "95% interval", "debiased"], table)
    print()


def _most_alike(layer: int, values: tuple[Sequence[float], Sequence[float]]) -> list[str]:
    plain, debiased = values
    best = max(range(len(plain)), key=lambda other: plain[other])
    return [str(layer), str(best), _fixed(plain[best]), _fixed(debiased[best])]


def _between(row: Mapping[str, Any]) -> str:
    return f"{row['low']:.4f} to {row['high']:.4f}"


def _fixed(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4f}"
