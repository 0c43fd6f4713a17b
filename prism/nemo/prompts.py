"""Prompts as Aligner reads them, and as the reward server knows them again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import write_jsonl
from prism.errors import BadInput, RecipeError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model sees it, and the row that its verifier reads."""

    domain: str
    text: str
    row: Row


@dataclass(frozen=True)
class Split:
    """Prompts to train on and those held out, by domain.

    doubled: prompts left out because their text came before with another row; no server could tell them apart.
    """

    train: Mapping[str, Sequence[Prompt]]
    validation: Sequence[Prompt]
    doubled: int


def split(prompts: Mapping[str, Sequence[Prompt]], mix: Mapping[str, float], held_out: int, seed: int) -> Split:
    """Holds out `held_out` prompts, drawn by seed, domains in the mix's shares.

    Raises:
        RecipeError: a domain of the mix has too few prompts.
    """
    wanted = {domain: percent for domain, percent in mix.items() if percent > 0}
    distinct, doubled = _distinct({domain: prompts.get(domain, ()) for domain in wanted})
    train: dict[str, Sequence[Prompt]] = {}
    validation: list[Prompt] = []
    for domain, count in _shares(wanted, held_out).items():
        found = list(distinct[domain])
        if len(found) <= count:
            raise RecipeError(
                f"{domain} has {len(found)} prompts, {count} would be held out",
                place="rl.aligner.validation_prompts",
                remedy="hold out fewer, or give the domain more prompts",
            )
        random.Random(f"{seed}/validation/{domain}").shuffle(found)
        validation += found[:count]
        train[domain] = found[count:]
    return Split(train, validation, doubled)


def write_prompts(folder: Path, parts: Split, steps: Iterable[Sequence[Prompt]]) -> int:
    """Writes `train.jsonl` (the prompts of `steps`, one after the other), `validation.jsonl` and `rows.jsonl`.

    Aligner reads `text` alone; `rows.jsonl` holds every prompt once, with its row, for the reward server.

    Returns:
        the number of lines in train.jsonl.
    """
    lines = write_jsonl(folder / "train.jsonl", ({"text": prompt.text} for step in steps for prompt in step))
    write_jsonl(folder / "validation.jsonl", ({"text": prompt.text} for prompt in parts.validation))
    every = [*(prompt for domain in parts.train.values() for prompt in domain), *parts.validation]
    write_jsonl(folder / "rows.jsonl", ({"text": prompt.text, "row": dict(prompt.row)} for prompt in every))
    return lines


def longest(prompts: Iterable[Prompt], encode: Callable[[str], Sequence[int]]) -> int:
    """Tokens of the longest prompt.

    Raises:
        BadInput: there is none.
    """
    found = max((len(encode(prompt.text)) for prompt in prompts), default=0)
    if not found:
        raise BadInput("no prompts", place="rl.prompts", remedy="check the sets and the difficulty stage's filter")
    return found


def _distinct(prompts: Mapping[str, Sequence[Prompt]]) -> tuple[dict[str, list[Prompt]], int]:
    seen: dict[str, Row] = {}
    found: dict[str, list[Prompt]] = {}
    doubled = 0
    for domain, each in prompts.items():
        found[domain] = []
        for prompt in each:
            if prompt.text not in seen:
                seen[prompt.text] = prompt.row
                found[domain].append(prompt)
            elif not _same(seen[prompt.text], prompt.row):
                doubled += 1
    return found, doubled


def _same(one: Row, other: Row) -> bool:
    return all(one.get(key) == other.get(key) for key in ("answer", "verifier"))


def _shares(mix: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers in the mix's shares that sum to `total`: the largest remainders get what is left."""
    whole = sum(mix.values())
    exact = {domain: total * percent / whole for domain, percent in mix.items()}
    counts = {domain: int(value) for domain, value in exact.items()}
    order = sorted(exact, key=lambda domain: counts[domain] - exact[domain])
    for domain in order[: total - sum(counts.values())]:
        counts[domain] += 1
    return counts


def rows_of(folder: Path) -> Iterator[tuple[str, Row]]:
    """Text and row of every prompt of a job.

    Raises:
        BadInput: the file is missing, or a line isn't what `write_prompts` wrote.
    """
    from data_prep.files import read_jsonl

    path = folder / "rows.jsonl"
    if not path.is_file():
        raise BadInput("the file is missing", place=str(path), remedy="write the job again with `prism rl aligner`")
    for number, line in enumerate(read_jsonl(path), start=1):
        text, row = line.get("text"), line.get("row")
        if not isinstance(text, str) or not isinstance(row, dict):
            raise BadInput(
                "no text with its row", place=f"{path}:{number}", remedy="write the job again with `prism rl aligner`"
            )
        yield text, row
