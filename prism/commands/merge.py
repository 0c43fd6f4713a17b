"""`prism merge`: two checkpoint folders, or the merge stages of a recipe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides

if TYPE_CHECKING:
    from prism.longcontext.folders import Merge, MergePlan

Stages = Annotated[
    list[str] | None, typer.Option("--stage", help="Of a recipe: only this stage and what it needs. May be repeated.")
]
DEFAULT_WEIGHT = 0.15


def merge_command(run_stages: Callable[..., None]) -> Callable[..., None]:
    """The command; `run_stages(recipe, overrides, stages)` is what it does with a recipe."""

    def merge(
        base: Annotated[str, typer.Argument(help="Base checkpoint, or a recipe.", metavar="BASE|RECIPE")],
        trained: Annotated[
            Path | None, typer.Argument(help="Checkpoint that was trained from it.", metavar="TRAINED")
        ] = None,
        out: Annotated[Path | None, typer.Argument(help="Folder to write, as TRAINED is.", metavar="OUT")] = None,
        base_weight: Annotated[
            float | None,
            typer.Option(help=f"Weight of BASE; the rest is TRAINED's. {DEFAULT_WEIGHT} unless given.", min=0, max=1),
        ] = None,
        overrides: Overrides = None,
        stages: Stages = None,
    ) -> None:
        """Merge a trained checkpoint with its base: W = w x BASE + (1 - w) x TRAINED.

        With three folders: Hugging Face folders, torch_dist checkpoints, or one of each.
        With a recipe alone: its merge stages, and what they need.

        Example: `prism merge models/granite exports/midtrained exports/merged`

        Example: `prism merge miniature`
        """
        from prism.errors import UsageError

        if trained is None:
            if base_weight is not None:
                raise UsageError(
                    "--base-weight belongs to BASE TRAINED OUT",
                    place=base,
                    remedy="for a recipe use --set long_context.merge.base_weight=W",
                )
            run_stages(base, overrides, stages)
            return
        if out is None:
            raise UsageError(
                "OUT is missing", place="prism merge", remedy="give BASE TRAINED OUT, or a recipe and nothing else"
            )
        if overrides or stages:
            raise UsageError(
                "--set and --stage belong to a recipe", place="prism merge", remedy="leave them out, or name a recipe"
            )
        _merge_folders(Path(base), trained, out, DEFAULT_WEIGHT if base_weight is None else base_weight)

    return merge


def _merge_folders(base: Path, trained: Path, out: Path, base_weight: float) -> None:
    from prism.formats.hf_folder import HfFolder
    from prism.longcontext.folders import plan_merge

    plan = plan_merge(base, trained, out, base_weight)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    done = _with_progress(plan)
    weights = f"{base_weight:g} x {base} + {1 - base_weight:g} x {trained}"
    print(f"made: {done.path} ({weights}; {done.tensors:,} tensors, {done.bytes / 2**30:.2f} GiB)")
    if isinstance(plan.trained.weights, HfFolder):
        print(f"next: transformers.AutoModelForCausalLM.from_pretrained({str(out)!r})")
    else:
        print(f"next: prism convert inspect {out}")


def _with_progress(plan: MergePlan) -> Merge:
    """Merges, with a bar where a person looks on."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from prism.longcontext.folders import merge

    console = Console(stderr=True)
    if not console.is_terminal:
        return merge(plan)
    columns = (TextColumn("merge"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("merge", total=plan.bytes)
        return merge(plan, lambda count: bar.advance(task, count))
