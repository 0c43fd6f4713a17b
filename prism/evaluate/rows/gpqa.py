"""GPQA. Its authors ask that questions aren't shown in plain text: no error here holds any."""

from __future__ import annotations

import random
from typing import Any

from data_prep.files import fingerprint
from prism.evaluate.rows.columns import Record, groups, optional_text, text_of
from prism.evaluate.rows.settings import GpqaRows
from prism.score.choice_templates import CHOICE_TEMPLATES

_TEMPLATE = "boxed_letter"
_RIGHT = "Correct Answer"
_WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def gpqa_row(record: Record, settings: GpqaRows) -> dict[str, Any]:
    """The question with lettered options, answered by a letter in a box.

    The order of the options is drawn from the seed and the question, so that it is the same in every run, on any part
    of the set, and another for each question: one order for all would put every right answer at one letter.
    """
    question, right = text_of(record, "Question"), text_of(record, _RIGHT)
    options = [right, *(text_of(record, name) for name in _WRONG)]
    random.Random(fingerprint([settings.seed, question])).shuffle(options)
    listed = [f"{letter}) {option}" for letter, option in zip("ABCD", options, strict=True)]
    made: dict[str, Any] = {
        "prompt": "\n".join([question, "", *listed, "", CHOICE_TEMPLATES[_TEMPLATE].instruction]),
        "answer": right,
        "verifier": {"kind": "choice", "choices": options, "template": _TEMPLATE},
    }
    if name := optional_text(record, "Record ID"):
        made["id"] = name
    if found := groups(subject=optional_text(record, "High-level domain")):
        made["group"] = found
    return made
