"""What text is measured by, and tasks to measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from prism.evaluate.ruler.make import Material, read_material
from prism.evaluate.task import RulerTask, load_task

Size = Callable[[str], int]

ESSAY = [
    f"The {what} went {where}. Was it {how}? It said nothing, and {what} after {what} came back {where}!"
    for what in ("miller", "tide", "letter", "old road", "committee")
    for where in ("to the north", "away in the rain", "up the stairs")
    for how in ("late", "a mistake", "seen by anyone")
]
ARTICLES = [
    {
        "question": f"Who founded the town of {town}?",
        "answers": [f"Duke {name} of {town}", f"Duke {name}"],
        "passages": [f"{town} lies on a river. It was founded by Duke {name} of {town} in {1100 + number}."],
        "topic": f"article {number % 3}",
        "distractors": [f"Note {number} has a mill, a church, {number + 2} bridges, and no founder that is known."],
    }
    for number, (town, name) in enumerate(
        [
            ("Alburg", "Otto"),
            ("Birnau", "Ludolf"),
            ("Cronach", "Hadwig"),
            ("Dornfeld", "Egbert"),
            ("Elsten", "Meinhard"),
        ]
    )
]
"""Questions as JSON lines hold them."""


@cache
def bpe() -> Tokenizer:
    """A byte-level BPE of 400 tokens, trained on the essay: merges reach over words' ends in many ways."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(ESSAY, trainer)
    return tokenizer


SIZES: dict[str, Size] = {
    "words": lambda text: len(text.split()),
    "characters": len,
    "byte pairs": lambda text: len(bpe().encode(text).ids),
}


def task(name: str, **changes: Any) -> RulerTask:
    """A packaged task, with other values."""
    found = load_task(name)
    assert isinstance(found, RulerTask)
    return RulerTask.model_validate({**found.model_dump(), **changes})


def material(of: RulerTask) -> Material:
    if of.test.kind == "questions":
        return read_material(of, ARTICLES, "here")
    return read_material(of, [{"text": text} for text in ESSAY], "here")
