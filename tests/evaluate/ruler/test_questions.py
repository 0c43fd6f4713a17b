"""Question sets in the forms that they are published in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from prism.errors import BadInput
from prism.evaluate.ruler.make import make_prompt, read_material, read_rows
from prism.evaluate.ruler.questions import read_library
from tests.evaluate.ruler.sizes import SIZES, task

SQUAD: dict[str, Any] = {
    "version": "v2.0",
    "data": [
        {
            "title": "Rivers",
            "paragraphs": [
                {
                    "context": "The Olm is 80 km long.",
                    "qas": [
                        {
                            "question": "How long?",
                            "is_impossible": False,
                            "answers": [{"text": "80 km"}, {"text": "80 km"}],
                        },
                        {"question": "How wide?", "is_impossible": True, "answers": []},
                    ],
                },
                {"context": "The Usk is in the west.", "qas": []},
            ],
        }
    ],
}
HOTPOT: list[dict[str, Any]] = [
    {
        "question": "In which country is the river of Alburg?",
        "answer": "Norland",
        "supporting_facts": [["Alburg", 0], ["Olm", 1]],
        "context": [
            ["Alburg", ["Alburg is on the Olm.", " It is old."]],
            ["Olm", ["The Olm is a river.", " It is in Norland."]],
            ["Usk", ["The Usk is in the west."]],
        ],
    }
]


def test_squad_keeps_each_answer_once_and_leaves_out_what_can_not_be_answered() -> None:
    library = read_library([SQUAD], "here")
    (question,) = library.questions
    assert (question.text, question.answers, question.topic) == ("How long?", ("80 km",), "Rivers")
    assert [passage for passage, _ in library.passages] == ["The Olm is 80 km long.", "The Usk is in the west."]


def test_hotpot_needs_both_of_its_passages_and_distracts_with_the_rest() -> None:
    library = read_library(HOTPOT, "here")
    (question,) = library.questions
    assert question.passages == (
        "Alburg\nAlburg is on the Olm. It is old.",
        "Olm\nThe Olm is a river. It is in Norland.",
    )
    made = make_prompt(task("ruler_qa_2", length=200), 0, read_material(task("ruler_qa_2"), HOTPOT, ""), SIZES["words"])
    assert all(made.text.count(passage) == 1 for passage in question.passages)
    assert made.text.count("Norland") == 1 and made.text.count("The Usk") > 1


@pytest.mark.parametrize(
    "row", [{}, {"question": "a"}, {"data": [{"paragraphs": 3}]}, {"question": "a", "answers": "", "passages": "b"}]
)
def test_another_form_is_an_error_that_says_which_are_read(row: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="SQuAD"):
        read_library([row], "here")


def test_rows_are_read_from_lines_from_one_object_or_from_plain_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    (tmp_path / "b.json").write_text(json.dumps(SQUAD))
    (tmp_path / "c.txt").write_text("one. two.")
    assert read_rows(tmp_path / "a.jsonl") == [{"text": "one"}, {"text": "two"}]
    assert read_rows(tmp_path / "b.json") == [SQUAD]
    assert read_rows(tmp_path / "c.txt") == [{"text": "one. two."}]


def test_every_question_of_squad_makes_a_prompt_with_its_answer() -> None:
    path = Path(os.environ.get("PRISM_DATA", "../shared/data")) / "squad/dev-v2.0.json"
    if not path.is_file():
        pytest.skip(f"SQuAD isn't at {path}")
    of = task("ruler_qa_1", length=2_000)
    material = read_material(of, read_rows(path), str(path))
    for index in range(0, 2_000, 100):
        made = make_prompt(of, index, material, SIZES["words"])
        assert made.tokens <= 2_000 - of.max_new_tokens
        assert all(answer in made.text for answer in made.expected)
