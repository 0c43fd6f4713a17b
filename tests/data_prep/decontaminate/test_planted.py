"""Every planted question of GSM8K and MATH500 is found, however it is written; clean text is kept."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from tests.data_prep.decontaminate.planted import (
    DATA,
    INSTRUCTION,
    VARIANTS,
    made_up,
    needs_data,
    questions,
    search,
)

pytestmark = needs_data


def test_all_questions_of_both_sets_are_there() -> None:
    sets = [question.set for question in questions()]
    assert (sets.count("gsm8k"), sets.count("math500")) == (1_319, 500)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_planted_question_is_found_in_the_middle_of_a_document(variant: str) -> None:
    stream, missed, exact = random.Random(variant), list[str](), 0
    for question in questions():
        text = VARIANTS[variant](question.text.removesuffix(INSTRUCTION), stream)
        match = search().match(f"{made_up(stream, 300)}\n{text}\n{made_up(stream, 300)}")
        if match is None or (match.set, match.question) != (question.set, question.id):
            missed.append(f"{question.id}: {text!r} gave {match}")
        else:
            exact += match.kind == "exact"
    assert missed == []
    assert exact >= 1_810  # lists such as `90, 100` read as one number or as two, by the spaces; n-grams find those


def test_every_planted_question_is_found_with_its_instruction_and_answer() -> None:
    stream = random.Random(1)
    for question in questions():
        match = search().match(f"{made_up(stream, 30)}\nUser: {question.text}\nAssistant: It is {question.answer}.")
        assert match is not None
        assert (match.question, match.kind, match.answer) == (question.id, "exact", question.answer)


def test_every_question_is_found_inside_a_sentence_without_a_mark_around_it() -> None:
    stream, missed = random.Random(2), list[str]()
    for question in questions():
        text = question.text.removesuffix(INSTRUCTION)
        match = search().match(f"{made_up(stream, 50)} {text} {made_up(stream, 50)}")
        if match is None or match.question != question.id:
            missed.append(text)
    assert missed == []


def test_a_question_with_its_middle_changed_is_found_by_what_is_left() -> None:
    stream, missed, planted = random.Random(3), list[str](), 0
    for question in questions():
        words = question.text.removesuffix(INSTRUCTION).split()
        if question.set == "gsm8k" and len(words) > 50:
            planted += 1
            match = search().match(" ".join([*words[:22], made_up(stream, 3), *words[25:]]))
            if match is None or match.kind != "ngram":
                missed.append(question.text)
    assert missed == []
    assert planted > 400


def test_at_most_one_in_a_thousand_training_problems_of_gsm8k_is_dropped() -> None:
    file = DATA / "gsm8k/train.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is missing")
    found = [search().match(f"{row['question']}\n{row['answer']}") for row in read_jsonl(file)]
    dropped = [match for match in found if match is not None]
    assert len(found) == 7_473
    assert len(dropped) <= 7
    assert {match.kind for match in dropped} <= {"ngram"}


def test_shakespeare_is_kept() -> None:
    file = DATA / "shakespeare/input.txt"
    if not file.is_file():
        pytest.skip(f"{file} is missing")
    assert [match for text in file.read_text().split("\n\n") if (match := search().match(text))] == []


def test_the_standard_library_is_kept() -> None:
    files = list(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    assert len(files) > 100
    assert [match for file in files if (match := search().match(file.read_text(errors="replace")))] == []


def test_made_up_text_is_kept() -> None:
    stream = random.Random(4)
    assert [match for _ in range(200) if (match := search().match(made_up(stream, 1_000)))] == []
