"""Options that several commands of `prism analyze` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Checkpoint = Annotated[str, typer.Argument(help="Hugging Face folder, torch_dist checkpoint, or RUN:STAGE.")]
Model = Annotated[str, typer.Argument(help="RUN:STAGE or a Hugging Face folder.")]
Json = Annotated[
    Path | None,
    typer.Option("--json", help="File for all figures; a killed call goes on from what is kept beside it. - prints."),
]
Csv = Annotated[Path | None, typer.Option("--csv", help="File for all figures, a row each.")]
Names = Annotated[str | None, typer.Option(help="What tables call the checkpoints, such as base,mid,rl.")]
Tensor = Annotated[int, typer.Option("--tp", min=1, help="Tensor parallel, under torchrun.")]
Pipeline = Annotated[int, typer.Option("--pp", min=1, help="Pipeline parallel, under torchrun.")]
Precision = Annotated[Literal["fp32", "bf16"], typer.Option(help="Of the models.")]
