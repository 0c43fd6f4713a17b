"""Samples and statistics on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from data_prep.api import Shown, SourceStatistics

_BAR = 40
"""Characters of a histogram's longest bar."""


class Printer:
    """Prints up to `characters` of each sample; `raw` leaves control characters as they are."""

    def __init__(self, characters: int, *, raw: bool) -> None:
        self._characters = characters
        self._raw = raw
        self._console = Console(highlight=False, soft_wrap=True)

    def show(self, title: str, shown: Sequence[Shown]) -> None:
        self._console.print(Text(f"── {title}", style="bold"))
        spans = list(self._spans(shown))
        if self._raw:
            print("".join(content for content, _ in spans))
        else:
            self._console.print(Text.assemble(*spans))
        self._console.print()

    def _spans(self, shown: Sequence[Shown]) -> Iterator[tuple[str, str]]:
        """Texts and their styles."""
        left = self._characters
        for part in shown:
            if part.kind == "boundary":
                yield "\n──── boundary ────\n", "magenta"
                continue
            content = part.text if self._raw else part.printable
            if left:
                yield self._span(part, content[:left])
            left -= len(content)
            if left < 0:
                yield " …", "dim"
                return

    def _span(self, part: Shown, content: str) -> tuple[str, str]:
        if part.times > 1:
            content += f" ×{part.times:,} "
        style = "cyan" if part.kind == "end" else ""
        if part.counts:
            return content, style
        if self._console.is_terminal and not self._raw:
            return content, f"dim {style}"
        return f"‹{content}›", style


def print_statistics(name: str, found: SourceStatistics) -> None:
    """A source's figures and the histogram of its lengths."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    ratio = "" if found.bytes_per_token is None else f", {found.bytes_per_token:.2f} bytes a token"
    sequences = "" if found.sequences == found.documents else f" in {found.sequences:,} sequences"
    console.print(Text(name, style="bold"), end="")
    console.print(
        f": {found.documents:,} documents{sequences}, {found.tokens:,} tokens{ratio}; "
        f"{found.duplicates:,} documents repeat an earlier one"
    )
    percentiles = ", ".join(f"{percent} % up to {value:,}" for percent, value in found.percentiles.items())
    console.print(
        f"  tokens a document: mean {found.mean:,.1f}, {found.shortest:,} to {found.longest:,}; {percentiles}"
    )
    table = Table("  tokens", box=None, pad_edge=False)
    table.add_column("documents", justify="right")
    table.add_column("of all tokens", justify="right")
    table.add_column("")
    most = max((part.documents for part in found.histogram), default=1)
    for part in found.histogram:
        share = part.tokens / found.tokens if found.tokens else 0
        lengths = f"{part.least:,}" if part.least == part.most else f"{part.least:,} to {part.most:,}"
        table.add_row(f"  {lengths}", f"{part.documents:,}", f"{share:.1%}", "█" * round(_BAR * part.documents / most))
    console.print(table)
