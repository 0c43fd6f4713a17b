"""`prism data inspect`, `stats` and `verify`: look inside a recipe's prepared data, or any .bin/.idx pair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName
from prism.errors import BadInput, UsageError

if TYPE_CHECKING:
    from data_prep.api import Vocabulary
    from prism.commands.data.show import Printer
    from prism.recipe import Recipe
    from prism.recipe.schema.training import MidtrainConfig

Source = Annotated[
    list[str] | None,
    typer.Option("--source", help="Only this source, or its packs, such as math.pack-8192. May be repeated."),
]


def register(app: typer.Typer) -> None:
    """Adds the three to `prism data`."""
    app.command()(inspect)
    app.command()(stats)
    app.command()(verify)


def inspect(
    recipe: RecipeName,
    overrides: Overrides = None,
    source: Source = None,
    stage: Annotated[str | None, typer.Option(help="Show rows as this training stage takes them.")] = None,
    row: Annotated[int, typer.Option(help="With --stage: the first row to show.", min=0)] = 0,
    count: Annotated[int, typer.Option(help="Documents of each source, or rows of the stage.", min=1)] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the draw of documents.")] = 1,
    characters: Annotated[int, typer.Option(help="Most characters to show of each.", min=1)] = 1_200,
    raw: Annotated[bool, typer.Option("--raw", help="Print control characters as they are.")] = False,
) -> None:
    """Show documents of each source as text, or the rows of a training stage, with boundaries marked.

    What the loss doesn't count is dimmed on a terminal, and stands between ‹ and › elsewhere.

    Example: `prism data inspect miniature --stage mid --count 1`
    """
    from data_prep import api
    from prism.commands.data.show import Printer
    from prism.recipe import load_recipe

    loaded, printer = load_recipe(recipe, overrides or []), Printer(characters, raw=raw)
    vocabulary = _vocabulary(loaded)
    if stage is not None:
        _show_rows(loaded, stage, range(row, row + count), vocabulary, printer)
        return
    for name in _sources(loaded, source):
        prefix = api.source_prefix(loaded.data_directory, name)
        for number, shown in api.show_documents(prefix, vocabulary, count, seed):
            printer.show(f"{name}, document {number:,}", shown)


def stats(recipe: RecipeName, overrides: Overrides = None, source: Source = None) -> None:
    """Show lengths, bytes per token and duplicates of each tokenised source.

    Example: `prism data stats miniature --source math`
    """
    from data_prep import api
    from prism.commands.data.show import print_statistics
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    for name in _sources(loaded, source):
        print_statistics(name, api.statistics_of(api.source_prefix(loaded.data_directory, name)))


def verify(
    recipe: RecipeName,
    overrides: Overrides = None,
    prefix: Annotated[
        list[Path] | None,
        typer.Option("--prefix", help="Check this .bin/.idx pair instead, whoever wrote it. May be repeated."),
    ] = None,
) -> None:
    """Read every byte of a recipe's sources, packs and locks: hashes, index, token range, boundaries.

    Exit code 4 if one is damaged.

    Example: `prism data verify miniature`
    """
    from data_prep import api
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    pairs = [_without_ending(pair) for pair in prefix or []]
    vocabulary = None if pairs and not _tokenizer(loaded).is_file() else _vocabulary(loaded)
    findings = (
        (api.verify_pair(pair, vocabulary) for pair in pairs)
        if pairs or vocabulary is None
        else api.verify_directory(loaded.data, loaded.data_directory, vocabulary)
    )
    total, damaged = 0, []
    for total, finding in enumerate(findings, start=1):  # noqa: B007  the last number is the total
        print(f"{finding.kind} {finding.name}: {finding.summary}", flush=True)
        if finding.error is not None:
            print(f"  {finding.error}", flush=True)
            damaged.append(f"{finding.kind} {finding.name}")
    if damaged:
        raise BadInput(f"{len(damaged)} of {total} damaged: {', '.join(damaged)}", remedy="see what is said below each")


def _show_rows(recipe: Recipe, stage: str, rows: range, vocabulary: Vocabulary, printer: Printer) -> None:
    from data_prep import api

    config = _training_stage(recipe, stage)
    samples = api.open_samples(recipe.data_directory, config.run_samples, vocabulary.end_of_document_id)
    if rows.start >= len(samples):
        raise UsageError(f"no row {rows.start:,}", place="--row", remedy=f"{stage} has rows 0 to {len(samples) - 1:,}")
    for number in rows[: len(samples) - rows.start]:
        sample = samples[number]
        apart = "documents apart" if sample.item.ends is not None else "documents see each other"
        printer.show(
            f"row {number:,}, step {number // config.global_batch_size + 1:,}: {samples.names[sample.source]}, its "
            f"sample {sample.number:,}; {apart}; {sample.item.labels_that_count:,} of {config.sequence_length:,} "
            "labels count",
            api.show_row(sample.item, vocabulary),
        )


def _training_stage(recipe: Recipe, name: str) -> MidtrainConfig:
    from prism.recipe.findings import nearest
    from prism.recipe.recipe import TRAINING_KINDS

    stages = [stage for stage, node in recipe.pipeline.items() if node.stage in TRAINING_KINDS]
    if name not in stages:
        raise UsageError(f"no training stage {name}", place="--stage", remedy=nearest(name, stages))
    return recipe.training_config(name)


def _sources(recipe: Recipe, wanted: list[str] | None) -> list[str]:
    """Those of the recipe, else the wanted ones, which may be packs."""
    from prism.recipe.findings import nearest

    pairs = (recipe.data_directory / "sources").glob("[!.]*.idx")
    known = [*recipe.data.sources, *sorted({path.name.removesuffix(".idx") for path in pairs} - {*recipe.data.sources})]
    for name in wanted or []:
        if name not in known:
            raise UsageError(f"no source {name}", place="--source", remedy=nearest(name, known))
    return wanted or list(recipe.data.sources)


def _tokenizer(recipe: Recipe) -> Path:
    return recipe.data_directory / "tokenizer.json"


def _vocabulary(recipe: Recipe) -> Vocabulary:
    from data_prep import api

    return api.load_tokenizer(_tokenizer(recipe), recipe.data.tokenizer.end_of_document)


def _without_ending(pair: Path) -> Path:
    return pair.with_suffix("") if pair.suffix in (".bin", ".idx") else pair
