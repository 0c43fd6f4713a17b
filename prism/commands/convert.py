"""`prism convert`: checkpoints in and out, tensor by tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prism.commands.options import Overrides, RecipeName

app = typer.Typer(help="Checkpoints between Hugging Face, Megatron and NeMo, tensor by tensor.", no_args_is_help=True)

From = Annotated[Path, typer.Option("--from", help="Folder to read.")]
To = Annotated[Path, typer.Option("--to", help="Folder to write; it must not exist.")]
Workers = Annotated[int | None, typer.Option(help="Files written side by side.", min=1)]


@app.command()
def stage(
    recipe: RecipeName,
    name: Annotated[str, typer.Argument(help="Stage of the recipe's pipeline.")],
    output: Annotated[Path, typer.Argument(help="Folder to write.")],
    overrides: Overrides = None,
) -> None:
    """Export a stage's newest checkpoint as a Hugging Face folder: safetensors, tokenizer, chat template.

    Example: `prism convert stage miniature rl exports/rl`
    """
    from prism.errors import UsageError
    from prism.megatron.checkpoint import require_latest
    from prism.prompts.export import export_checkpoint
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    if name not in loaded.checkpoint_stages():
        raise UsageError(
            f"no stage {name} that leaves a checkpoint",
            place=recipe,
            remedy=f"use one of {', '.join(loaded.checkpoint_stages())}",
        )
    export_checkpoint(loaded, require_latest(loaded.stage_directory(name) / "checkpoints"), output)
    print(f"made: {output}\nnext: transformers.AutoModelForCausalLM.from_pretrained({str(output)!r})")


@app.command()
def hf_to_megatron(
    source: From,
    target: To,
    megatron_lm: Annotated[
        bool, typer.Option("--megatron-lm", help="For plain Megatron-LM with Transformer Engine.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Make a torch_dist checkpoint of a Hugging Face folder; it loads at any TP and PP. Call again after a kill.

    Example: `prism convert hf-to-megatron --from models/granite-3.3-8b-base --to checkpoints/granite`
    """
    from prism.models.convert import hf_to_megatron as convert

    done = convert(source, target, megatron_lm=megatron_lm, workers=workers)
    print(f"made: {done.path} ({done.model.family}, {done.tensors:,} tensors, {done.bytes / 2**30:.2f} GiB)")
    print(f"next: prism convert inspect {target}")


@app.command()
def megatron_to_hf(
    source: From,
    target: To,
    config: Annotated[
        Path | None, typer.Option(help="Hugging Face folder the model came from; for checkpoints that carry none.")
    ] = None,
    shard_gb: Annotated[float, typer.Option(help="Largest shard, in 10^9 bytes.", min=0.001)] = 5.0,
    workers: Workers = None,
) -> None:
    """Make a Hugging Face folder of a checkpoint, ours or Megatron-LM's. Call again after a kill.

    Example: `prism convert megatron-to-hf --from checkpoints/granite --to exports/granite`
    """
    from prism.models.convert import megatron_to_hf as convert

    done = convert(source, target, config=config, shard_bytes=int(shard_gb * 1e9), workers=workers)
    print(f"made: {done.path} ({done.model.family}, {done.tensors:,} tensors, {done.bytes / 2**30:.2f} GiB)")
    print(f"next: transformers.AutoModelForCausalLM.from_pretrained({str(target)!r})")


HfConfig = Annotated[
    Path | None, typer.Option("--config", help="Hugging Face folder the model came from; for checkpoints without one.")
]


@app.command()
def nemo_to_megatron(source: From, target: To, config: HfConfig = None) -> None:
    """Make a torch_dist checkpoint of a NeMo 2 checkpoint's weights.

    Example: `prism convert nemo-to-megatron --from nemo/checkpoints/last --to checkpoints/llama --config models/llama`
    """
    from prism.models.nemo_checkpoint import nemo_to_megatron as convert

    done = convert(source, target, config)
    print(f"made: {done.path} ({done.model.family}, {done.tensors:,} tensors, {done.bytes / 2**30:.2f} GiB)")
    print(f"next: prism convert inspect {target}")


@app.command()
def megatron_to_nemo(source: From, target: To, config: HfConfig = None) -> None:
    """Make a NeMo 2 checkpoint of one of ours or of Megatron-LM's: weights, for NeMo's RestoreConfig.

    Example: `prism convert megatron-to-nemo --from checkpoints/llama --to nemo/start`
    """
    from prism.models.nemo_checkpoint import megatron_to_nemo as convert

    done = convert(source, target, config)
    print(f"made: {done.path} ({done.model.family}, {done.tensors:,} tensors, {done.bytes / 2**30:.2f} GiB)")
    print(f"next: nemo.lightning.RestoreConfig(path={str(target)!r})")


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="Hugging Face folder or Megatron checkpoint.")],
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
) -> None:
    """Show what a checkpoint holds: format, model, tensors, parameters, types.

    Example: `prism convert inspect checkpoints/granite --tensors`
    """
    from prism.models.inspect import describe

    for line in describe(path, tensors=tensors):
        print(line)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="Hugging Face folder or Megatron checkpoint.")],
    second: Annotated[Path, typer.Argument(help="Another, of the same format.")],
) -> None:
    """Compare two checkpoints tensor by tensor. Exit code 1 when they differ.

    Example: `prism convert compare models/granite exports/granite`
    """
    from prism.models.inspect import differences

    count, found = differences(first, second)
    for line in found:
        print(line)
    print(f"{count:,} tensors, {len(found) or 'none'} of them different")
    if found:
        raise typer.Exit(1)
