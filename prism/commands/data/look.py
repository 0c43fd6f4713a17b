"""`prism data inspect`, `stats` and `verify`: look inside a recipe's prepared data, or any .bin/.idx pair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName

if TYPE_CHECKING:
    from rich.console import Console

    from data_prep.api import Shown, SourceStatistics, Vocabulary
    from prism.recipe import Recipe

Source = Annotated[list[str] | None, typer.Option("--source", help="Only this source. May be repeated.")]


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
    count: Annotated[int, typer.Option(help="Documents of each source, or rows of the stage.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the draw of documents.")] = 1,
    characters: Annotated[int, typer.Option(help="Most characters to show of each.")] = 1_200,
) -> None:
    """Show documents of each source as text, or the rows of a training stage, with boundaries marked.

    Example: `prism data inspect miniature --stage mid --count 1`
    """
    from rich.console import Console

    from data_prep import api
    from prism.recipe import load_recipe

    loaded, console = load_recipe(recipe, overrides or []), Console()
    vocabulary = _vocabulary(loaded)
    if stage is not None:
        run = loaded.training_config(stage).run_samples
        samples = api.open_samples(loaded.data_directory, run, vocabulary.end_of_document_id)
        for number in range(count):
            sample = samples[number]
            console.rule(f"row {number:,}: {samples.names[sample.source]}, its sample {sample.number:,}")
            _print(api.show_row(sample.item, vocabulary), characters, console)
        return
    for name in source or list(loaded.data.sources):
        for number, shown in api.show_documents(
            api.source_prefix(loaded.data_directory, name), vocabulary, count, seed
        ):
            console.rule(f"{name}: document {number:,}")
            _print(shown, characters, console)


def stats(recipe: RecipeName, overrides: Overrides = None, source: Source = None) -> None:
    """Show lengths, bytes per token and duplicates of each tokenised source.

    Example: `prism data stats miniature --source math`
    """
    from rich.console import Console

    from data_prep import api
    from prism.recipe import load_recipe

    loaded, console = load_recipe(recipe, overrides or []), Console()
    for name in source or list(loaded.data.sources):
        _print_statistics(name, api.statistics_of(api.source_prefix(loaded.data_directory, name)), console)


def verify(
    recipe: RecipeName,
    overrides: Overrides = None,
    prefix: Annotated[
        list[Path] | None, typer.Option("--prefix", help="Check this .bin/.idx pair instead, whoever wrote it.")
    ] = None,
) -> None:
    """Read every byte of a recipe's sources, packs and locks: hashes, index, token range, boundaries. Exit code 4 if
    one is damaged.

    Example: `prism data verify miniature`
    """
    from rich.console import Console

    from data_prep import api
    from prism.errors import BadInput
    from prism.recipe import load_recipe

    loaded, console = load_recipe(recipe, overrides or []), Console()
    vocabulary = _vocabulary(loaded)
    for pair in prefix or []:
        report = api.verify_pair(pair, vocabulary.vocab_size, vocabulary.end_of_document_id)
        console.print(
            f"{pair}: {report.documents:,} documents, {report.sequences:,} sequences, {report.tokens:,} tokens "
            f"({report.token_type}), {report.documents_without_end:,} without an end token",
            highlight=False,
        )
    if prefix:
        return
    damaged = []
    for finding in api.verify_directory(loaded.data_directory, vocabulary):
        console.print(f"{finding.kind} {finding.name}: {finding.summary}", highlight=False)
        if finding.error is not None:
            damaged.append(finding.error)
    if damaged:
        raise BadInput("\n".join(damaged), remedy="see above: put the files back, or run `prism data prepare`")


def _vocabulary(recipe: Recipe) -> Vocabulary:
    from data_prep import api

    return api.load_tokenizer(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)


def _print(shown: list[Shown], characters: int, console: Console) -> None:
    from rich.text import Text

    text, left = Text(), characters
    for part in shown:
        if part.kind == "boundary":
            text.append("\n──── boundary ────\n", style="bold magenta")
        elif part.kind == "end":
            text.append(part.text, style="bold cyan")
        else:
            text.append(part.text[:left])
            left -= min(left, len(part.text))
        if not left:
            text.append(" …", style="dim")
            break
    console.print(text)


def _print_statistics(name: str, found: SourceStatistics, console: Console) -> None:
    from rich.table import Table

    ratio = "" if found.bytes_per_token is None else f", {found.bytes_per_token:.2f} bytes a token"
    console.print(
        f"[bold]{name}[/bold]: {found.documents:,} documents, {found.tokens:,} tokens{ratio}; "
        f"{found.duplicates:,} duplicates among {found.hashed:,}",
        highlight=False,
    )
    quantiles = ", ".join(f"{share:.0%} {value:,}" for share, value in found.quantiles.items())
    console.print(
        f"  tokens per document: mean {found.mean:,.1f}, {found.shortest:,} to {found.longest:,}; {quantiles}",
        highlight=False,
    )
    table = Table("tokens", box=None, pad_edge=False)
    table.add_column("documents", justify="right")
    table.add_column("of all tokens", justify="right")
    table.add_column("")
    most = max((count for _, _, count, _ in found.histogram), default=1)
    for least, last, count, tokens in found.histogram:
        share = tokens / found.tokens if found.tokens else 0
        table.add_row(f"  {least:,} to {last:,}", f"{count:,}", f"{share:.1%}", "█" * round(40 * count / most))
    console.print(table)
