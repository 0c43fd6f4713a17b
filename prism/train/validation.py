"""Held-out loss of each source while training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from data_prep import api as data
from data_prep.blend.weights import blend_sources
from prism.errors import RecipeError
from prism.train.callback import Callback, Training
from prism.train.held_out import HeldOut, Passage
from prism.train.loss import loss_row

log = logging.getLogger("prism.train")


class Validation(Callback):
    """Every so many steps, and after the last, adds `validation` to the row: loss over all sources and by source.

    The documents are those that a source's `holdout` keeps out of training, each after an end-of-document token, long
    ones in windows of the stage's sequence length.
    """

    name: ClassVar[str] = "validation"

    def __init__(self, vocabulary: data.Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._every = self._last = 0

    def begin(self, training: Training, step: int) -> None:
        """Raises RecipeError when no source of the stage holds documents out."""
        config = training.config
        self._training, self._every, self._last = training, config.validation.every_steps or 0, config.steps
        if not self._every:
            return
        settings = training.recipe.data
        domains = {name: source.domain for name, source in settings.sources.items()}
        blends = [blend_sources(settings.blends[blend], domains) for blend in config.every_blend()]
        sources = list(dict.fromkeys(name for blend in blends for name in blend))
        passages: list[Passage] = []
        self._names: list[str] = []
        for source in sources:
            windows = self._windows(training, source, len(self._names))
            taken = list(islice(windows, max(1, config.validation.tokens // config.sequence_length)))
            if not taken:
                log.info("validation: %s holds no document out (data.sources.%s.holdout)", source, source)
                continue
            self._names.append(source)
            passages += taken
        if not passages:
            raise RecipeError(
                "none of the stage's sources holds documents out",
                place=f"pipeline.{training.stage}.with.validation",
                remedy="set data.sources.NAME.holdout, such as 0.001, or leave validation.every_steps out",
            )
        self._held_out = HeldOut(passages, len(self._names), config.sequence_length, config.micro_batch_size)

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        if self._every and (step % self._every == 0 or step == self._last):
            nats, labels = self._held_out.losses(self._training.trainee)
            row["validation"] = loss_row(nats.tolist(), labels.tolist(), self._names)

    def _windows(self, training: Training, source: str, group: int) -> Iterator[Passage]:
        end, length = self._vocabulary.end_of_document_id, training.config.sequence_length
        for text in data.held_out_texts(training.recipe.data_directory, source):
            tokens = [end, *self._vocabulary.encode(text), end]
            for start in range(0, len(tokens) - 1, length):
                window = tokens[start : start + length + 1]
                yield Passage(window, len(window) - 1, group)
