"""`prism analyze confidence` and `solvability`: what responses that lie on disk say of a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.analyze.options import Csv, Json

if TYPE_CHECKING:
    from prism.tally.confidence import Confidence
    from prism.tally.solvability import Solvability


def confidence(
    sources: Annotated[
        list[str], typer.Argument(help="RUN:STAGE, or folders that prism eval wrote to.", metavar="SOURCE...")
    ],
    task: Annotated[str | None, typer.Option(help="This task's samples alone.")] = None,
    json: Json = None,
    csv: Csv = None,
) -> None:
    """Show how sure models are of right and of wrong responses, from the samples that evaluation wrote.

    Pass rate, median length in tokens, and mean negative log-probability of a token in nats at temperature 1.

    Example: `prism analyze confidence runs/miniature:base runs/miniature:mid runs/miniature:rl --task miniature_math`
    """
    from prism.analyze.samples import confidence_of, results_folder, rows
    from prism.commands.analyze import given
    from prism.commands.console import print_table

    found = {text: confidence_of(results_folder(text), task) for text in sources}
    said = {source: {name: one.as_json() for name, one in tasks.items()} for source, tasks in found.items()}
    if given.written(json, csv, {"schema_version": 1, "sources": said}, rows(found)):
        return
    columns = ["source", "task", "responses", "right, %", "tokens", "nats"]
    columns += [f"{what}, {part}" for part in ("right", "wrong") for what in ("tokens", "nats")]
    table = [[source, name, *_sure(one)] for source, tasks in found.items() for name, one in tasks.items()]
    print_table("sampled responses: median tokens, mean -log p of a token in nats", columns, table)


def _sure(one: Confidence) -> list[str]:
    cells = [f"{one.overall.responses:,}", f"{100 * one.pass_rate:.1f}"]
    for split in (one.overall, one.correct, one.incorrect):
        cells.append("-" if split.median_tokens is None else f"{split.median_tokens:g}")
        cells.append("-" if split.mean_nll is None else f"{split.mean_nll:.3f}")
    return cells


def solvability(
    stage: Annotated[str, typer.Argument(help="RUN:STAGE of an RL stage.")],
    window: Annotated[int | None, typer.Option(min=1, help="Steps of a window. Default: a tenth of all.")] = None,
    json: Json = None,
    csv: Csv = None,
) -> None:
    """Show whether RL came to solve prompts that had 0 or 1 right responses before it (the paper's Figure 10).

    Example: `prism analyze solvability runs/miniature:rl`
    """
    from prism.analyze.solvability import rows, stage_solvability
    from prism.commands.analyze import given
    from prism.commands.console import print_table

    found = stage_solvability(stage, window)
    content = {"schema_version": 1, "stage": stage, "prompts": [one.as_json() for one in found]}
    if given.written(json, csv, content, rows(found)):
        return
    for one in found:
        print_table(_title(one), ["steps", "prompts", "responses", "right, %", "95% interval"], _windows(one))
        print()


def _title(one: Solvability) -> str:
    share = 100 * one.solved / one.prompts
    return f"prompts that were {one.before} before: {one.solved} of {one.prompts} drawn were ever solved ({share:.0f}%)"


def _windows(one: Solvability) -> list[list[str]]:
    return [
        [
            f"{row.first}-{row.last}",
            f"{row.prompts:,}",
            f"{row.responses:,}",
            f"{100 * row.rate:.1f}",
            f"{100 * row.low:.1f} to {100 * row.high:.1f}",
        ]
        for row in one.windows
    ]
