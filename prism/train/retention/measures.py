"""What the gate measures: held-out documents and multiple-choice questions, as passages and as items to compare."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from data_prep import api as data
from data_prep.files import read_jsonl
from prism.errors import BadInput, RecipeError
from prism.prompts import PromptContract
from prism.recipe.retention_checks import general_sources
from prism.train.held_out import Passage
from prism.train.retention.degradation import Floats

if TYPE_CHECKING:
    from prism.recipe import Recipe
    from prism.recipe.schema.retention import ChoiceMeasure, TextMeasure

FEWEST_ITEMS = 50
_SEED = 20_260_317

Row = TypeVar("Row")


class Measure(Protocol):
    """A number of items, each with a score that follows from the likelihood of its passages."""

    @property
    def passages(self) -> Sequence[Passage]:
        """What is read; groups count from 0."""

    @property
    def groups(self) -> int: ...
    @property
    def tolerance(self) -> float:
        """Degradation that is allowed, in `unit`."""

    @property
    def transient(self) -> float:
        """Further degradation that is allowed at first, in `unit`."""

    @property
    def unit(self) -> str: ...
    @property
    def figure(self) -> str:
        """What `value` is called."""

    def scores(self, nats: Floats) -> Floats:
        """(groups,) nats -> (items,) scores."""

    def value(self, scores: Floats) -> float:
        """The figure over all items that people read."""

    def lost(self, before: Floats, now: Floats) -> tuple[Floats, Floats]:
        """What each item lost and what it weighs: the degradation in `unit` is the ratio of their sums."""


@dataclass(frozen=True)
class TextItems:
    """Documents, one passage each. A score is the document's nats, the degradation the rise of their sum in percent."""

    passages: Sequence[Passage]
    bytes: float
    tolerance: float
    transient: float
    unit: str = "%"
    figure: str = "bits_per_byte"

    @property
    def groups(self) -> int:
        return len(self.passages)

    def scores(self, nats: Floats) -> Floats:
        return nats

    def value(self, scores: Floats) -> float:
        return float(scores.sum()) / math.log(2) / self.bytes

    def lost(self, before: Floats, now: Floats) -> tuple[Floats, Floats]:
        return 100.0 * (now - before), before


@dataclass(frozen=True)
class ChoiceItems:
    """Questions, one passage an option. options: how many each has. answers: index of the right one.

    A score is the right option's probability among the options, or, with `accuracy`, 1 where it is the likeliest.
    """

    passages: Sequence[Passage]
    options: Sequence[int]
    answers: Sequence[int]
    accuracy: bool
    tolerance: float
    transient: float
    unit: str = " points"

    @property
    def groups(self) -> int:
        return len(self.passages)

    @property
    def figure(self) -> str:
        return "accuracy_percent" if self.accuracy else "probability_percent"

    def scores(self, nats: Floats) -> Floats:
        questions = np.split(-nats, np.cumsum(self.options)[:-1])
        return np.array([self._score(*question) for question in zip(questions, self.answers, strict=True)])

    def value(self, scores: Floats) -> float:
        return 100.0 * float(scores.mean())

    def lost(self, before: Floats, now: Floats) -> tuple[Floats, Floats]:
        return 100.0 * (before - now), np.ones_like(before)

    def _score(self, logprobs: Floats, answer: int) -> float:
        if self.accuracy:
            return float(logprobs.argmax() == answer)
        shares = np.exp(logprobs - logprobs.max())
        return float(shares[answer] / shares.sum())


def read_measures(recipe: Recipe, stage: str, vocabulary: data.Vocabulary) -> dict[str, Measure]:
    """The stage's measures by name, their items drawn.

    Raises:
        RecipeError: there is nothing to measure, or too little.
        BadInput: a row lacks a column.
        data_prep.errors.DataError: a file is missing.
    """
    config = recipe.training_config(stage)
    settings = config.retention
    assert settings is not None
    found: dict[str, Measure] = {}
    for name, measure in settings.planned_measures().items():
        place = f"pipeline.{stage}.with.retention.measures.{name}"
        if measure.kind == "choice":
            found[name] = _choice(recipe, measure, vocabulary, config.sequence_length)
        else:
            for figure, texts in _texts(recipe, stage, name, measure, place).items():
                found[figure] = _documents(measure, texts, vocabulary, config.sequence_length)
    for name, items in found.items():
        count = len(items.answers) if isinstance(items, ChoiceItems) else items.groups
        if count < FEWEST_ITEMS:
            raise RecipeError(
                f"retention measure {name} has {count} items, the test needs at least {FEWEST_ITEMS}",
                place=f"pipeline.{stage}.with.retention.measures",
                remedy="raise the sources' holdout, or measure something else",
            )
    return found


def _texts(recipe: Recipe, stage: str, name: str, measure: TextMeasure, place: str) -> Mapping[str, Iterator[str]]:
    """Documents of each figure of the measure."""
    if measure.path is not None:
        path = recipe.resolve(measure.path)
        return {name: (_column(row, measure.text, str(path)) for row in read_jsonl(path))}
    sources = list(measure.sources) or general_sources(recipe, stage)
    if not sources:
        raise RecipeError(
            "the retention gate has no held-out general text",
            place=place,
            remedy="set data.sources.NAME.holdout of a general source, such as 0.001, or name sources or a path",
        )
    keys = {
        "all": dict.fromkeys(sources, name),
        "source": {source: f"{name}/{source}" for source in sources},
        "domain": {source: f"{name}/{recipe.data.sources[source].domain}" for source in sources},
    }[measure.each]
    grouped: dict[str, list[str]] = {}
    for source, figure in keys.items():
        grouped.setdefault(figure, []).append(source)
    return {figure: _held_out(recipe, members) for figure, members in grouped.items()}


def _held_out(recipe: Recipe, sources: Sequence[str]) -> Iterator[str]:
    for source in sources:
        yield from data.held_out_texts(recipe.data_directory, source)


def _documents(measure: TextMeasure, texts: Iterator[str], vocabulary: data.Vocabulary, longest: int) -> TextItems:
    """Each document follows an end-of-document token, as in training; its beginning is read."""
    most, given = min(measure.document_tokens, longest), measure.given_tokens
    encoded = ((text, list(vocabulary.encode(text))) for text in texts)
    passages: list[Passage] = []
    size = 0.0
    for text, tokens in _draw((one for one in encoded if len(one[1]) > given), measure.documents):
        read = tokens[:most]
        counted = len(read) - given
        size += len(text.encode()) * counted / len(tokens)
        passages.append(Passage([vocabulary.end_of_document_id, *read], counted, len(passages)))
    return TextItems(passages, size, measure.tolerance_percent, measure.transient_percent)


def _choice(recipe: Recipe, measure: ChoiceMeasure, vocabulary: data.Vocabulary, longest: int) -> ChoiceItems:
    contract, path = PromptContract(vocabulary), recipe.resolve(measure.path)
    most = min(measure.question_tokens, longest + 1)
    passages: list[Passage] = []
    counts: list[int] = []
    answers: list[int] = []
    questions = (_question(measure, contract, row, str(path)) for row in read_jsonl(path))
    for context, options, answer in _draw(
        (one for one in questions if len(one[0]) + max(map(len, one[1])) <= most), measure.questions
    ):
        for option in options:
            passages.append(Passage([*context, *option], len(option), len(passages)))
        counts.append(len(options))
        answers.append(answer)
    return ChoiceItems(
        passages,
        counts,
        answers,
        measure.score == "accuracy",
        measure.tolerance_points,
        measure.transient_points,
    )


def _question(
    measure: ChoiceMeasure, contract: PromptContract, row: Mapping[str, Any], place: str
) -> tuple[list[int], list[list[int]], int]:
    """Tokens of context and options, as evaluation has them: the blank before a word belongs to the option."""
    text, choices, answer = (_column(row, key, place) for key in (measure.context, measure.choices, measure.answer))
    context = contract.encode_prompt(str(text)) if measure.as_prompt else contract.encode_text(str(text))
    options = [contract.encode_text(str(one) if measure.as_prompt else f" {one}") for one in choices]
    if not 0 <= int(answer) < len(options) or not all(options):
        raise BadInput(
            f"answer {answer} is none of {len(options)} options, or an option is empty",
            place=place,
            remedy=f"correct the row that begins {str(text)[:60]!r}",
        )
    return context or [contract.end_of_document_id], options, int(answer)


def _column(row: Mapping[str, Any], column: str, place: str) -> Any:
    if column not in row:
        raise BadInput(f"a row without {column}", place=place, remedy="name the column in the measure's settings")
    return row[column]


def _draw(rows: Iterable[Row], most: int) -> list[Row]:
    """At most `most` rows, drawn at random and in order; the same ones for the same rows (Waterman's reservoir)."""
    generator = random.Random(_SEED)
    kept: list[tuple[int, Row]] = []
    for number, row in enumerate(rows):
        if number < most:
            kept.append((number, row))
        elif (slot := generator.randrange(number + 1)) < most:
            kept[slot] = (number, row)
    return [row for _, row in sorted(kept, key=lambda one: one[0])]
