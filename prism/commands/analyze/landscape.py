"""`prism analyze landscape`: what weights between three checkpoints of a chain score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from prism.commands.analyze.options import Model, Pipeline, Precision, Tensor


def landscape(
    base: Model,
    mid: Model,
    rl: Model,
    task: Annotated[str, typer.Option(help="What every point is measured by: name or path of a task.")],
    out: Annotated[Path, typer.Option(help="JSON file; beside it lie the points' samples, from which a call goes on.")],
    limit: Annotated[int, typer.Option(min=1, help="Most prompts.")] = 200,
    points: Annotated[int, typer.Option(min=2, help="Values of alpha and of beta, from 0 to 1.")] = 5,
    plane: Annotated[bool, typer.Option(help="Every alpha with every beta; else the path alone.")] = True,
    samples: Annotated[int | None, typer.Option(min=1, help="Responses a prompt; the task's own number.")] = None,
    tensor_parallel: Tensor = 1,
    pipeline_parallel: Pipeline = 1,
    precision: Precision = "fp32",
) -> None:
    """Show the pass rate of weights between a base model, its mid-trained model and the RL model.

    W = base + alpha (mid - base) + beta (RL - mid): the path from base over mid to RL, and the plane. One model is in
    memory and takes every point's weights in turn. An interrupted call goes on where it was, within a point too.

    Example: `prism analyze landscape runs/m:base runs/m:mid runs/m:rl --task miniature_math --out landscape.json`
    """
    import shutil

    from prism.recipe.named import require_models

    require_models([base, mid, rl])
    from prism.analyze.landscape import Grid, asked_task, points_folder, run_landscape
    from prism.commands.console import tell_progress
    from prism.evaluate.named import named_model
    from prism.megatron.checkpoint.ranks import is_first
    from prism.megatron.parallel import Layout, process_groups

    layout = Layout(tensor=tensor_parallel, pipeline=pipeline_parallel)
    asked = asked_task(task, limit, samples)
    named = [named_model(text, layout=layout, precision=precision) for text in (base, mid, rl)]
    work = points_folder(out) / "weights"
    with process_groups(layout, named[0].seed):
        tell_progress(is_first())
        chain = [model.open(work) for model in named]
        run_landscape(chain, (base, mid, rl), asked, Grid(points, plane), out)
        if is_first():
            shutil.rmtree(work, ignore_errors=True)
            _show(out)


def _show(path: Path) -> None:
    from data_prep.files import read_json
    from prism.commands.console import print_table

    content = read_json(path)
    metric = content["metric"]
    on_path = [point for point in content["points"] if point["on_path"]]
    print_table(
        f"{metric} of {content['task']} along the path {' -> '.join(content['chain'])}",
        ["alpha", "beta", metric, "95% interval"],
        [[f"{one['alpha']:g}", f"{one['beta']:g}", f"{one['value']:.4f}", _between(one)] for one in on_path],
    )
    if content["plane"]:
        found = {(one["alpha"], one["beta"]): one["value"] for one in content["points"]}
        values = content["values"]
        rows = [[f"{beta:g}", *(f"{found[alpha, beta]:.4f}" for alpha in values)] for beta in values]
        print_table(f"{metric}, alpha to the right", ["beta", *(f"{alpha:g}" for alpha in values)], rows)
    print(f"made: {path}")


def _between(point: Mapping[str, Any]) -> str:
    return f"{point['low']:.4f} to {point['high']:.4f}"
