"""Multiple choice."""

from __future__ import annotations

import pytest

from prism.errors import BadInput
from prism.score.choice import verify_choice

CHOICES = ["glass", "hot fire", "ice", "iron"]


def right(answer: str, gold: str = "hot fire", choices: list[str] | None = None) -> bool:
    row = {"prompt": "?", "answer": gold, "verifier": {"kind": "choice", "choices": choices or CHOICES}}
    return verify_choice([row], [answer])[0]


@pytest.mark.parametrize("answer", ["hot fire", " hot  fire ", "B", "(B)", "B.", "b".upper()])
def test_the_right_option_is_accepted_by_its_words_or_letter(answer: str) -> None:
    assert right(answer)


@pytest.mark.parametrize(
    "answer", ["", "ice", "A", "(C)", "fire", "hot fire ice", "A B C D", "E", "Z", "hot fire or ice"]
)
def test_anything_else_is_wrong(answer: str) -> None:
    assert not right(answer)


def test_the_gold_answer_may_be_a_letter() -> None:
    assert right("hot fire", gold="B")
    assert not right("glass", gold="B")


def test_a_letter_that_is_an_option_itself_is_taken_by_its_text() -> None:
    assert right("A", gold="A", choices=["B", "A"])
    assert not right("B", gold="A", choices=["B", "A"])


def test_the_last_line_is_judged() -> None:
    assert right("not ice, but\nhot fire\n")
    assert not right("hot fire\nice")


def test_letters_count_only_where_the_question_shows_them() -> None:
    row = {"prompt": "?", "answer": "ice", "verifier": {"kind": "choice", "choices": CHOICES, "letters": False}}
    assert verify_choice([row, row], ["C", "ice"]) == [False, True]


def test_a_right_answer_that_is_no_option_is_named() -> None:
    with pytest.raises(BadInput, match="none of the choices"):
        right("ice", gold="water")


def test_a_prompt_without_options_is_named() -> None:
    row = {"id": "q7", "prompt": "?", "answer": "ice", "verifier": {"kind": "choice"}}
    with pytest.raises(BadInput, match=r"prompt q7.*without options"):
        verify_choice([row], ["ice"])
