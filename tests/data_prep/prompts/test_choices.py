import os
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from data_prep.prompts.choices import find_choices, right_option
from data_prep.prompts.reasons import NoPrompt

MMLU = Path(os.environ.get("PRISM_DATA", "../shared/data")) / "mmlu_stem/test.jsonl"
PLANETS = ("Venus", "Mars", "Saturn", "Neptune")


@pytest.mark.parametrize(
    "options",
    [
        "A) Venus\nB) Mars\nC) Saturn\nD) Neptune",
        "A. Venus\nB. Mars\nC. Saturn\nD. Neptune",
        "(A) Venus\n(B) Mars\n(C) Saturn\n(D) Neptune",
        "A: Venus\nB: Mars\nC: Saturn\nD: Neptune",
        "**A)** Venus\n**B)** Mars\n**C)** Saturn\n**D)** Neptune",
        "- A) Venus\n- B) Mars\n- C) Saturn\n- D) Neptune",
        "  A)  Venus\n\n  B)  Mars\n\n  C)  Saturn\n\n  D)  Neptune",
        "Options:\nA) Venus\nB) Mars\nC) Saturn\nD) Neptune",
        "A) Venus B) Mars C) Saturn D) Neptune",
        "(A) Venus, (B) Mars, (C) Saturn, (D) Neptune",
        "A) Venus\nB) Mars\nC) Saturn\nD) Neptune\n\nPut the letter in \\boxed{}.",
    ],
)
def test_options_are_found_however_they_are_lettered(options: str) -> None:
    found = find_choices(f"Which planet is called the red one?\n\n{options}")
    assert found.options == PLANETS
    assert found.question == "Which planet is called the red one?"


def test_options_of_several_lines_and_ten_letters() -> None:
    options = [f"first line {letter}\nsecond" for letter in "ABCDEFGHIJ"]
    text = "Which?\n" + "\n".join(f"{letter}) {option}" for letter, option in zip("ABCDEFGHIJ", options, strict=True))
    assert find_choices(text).options == tuple(options)


def test_a_letter_in_the_question_is_no_option() -> None:
    found = find_choices("Point A. lies left of point B. Which?\nA) 1\nB) 2\nC) 3")
    assert found.options == ("1", "2", "3")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("How far is the Moon?", "no lettered options"),
        ("Which?\nA) one", "no lettered options"),
        ("Which?\nB) one\nC) two", "no lettered options"),
        ("Which?\nA) one\nB) One.", "the same"),
        ("A) one\nB) two", "without a question"),
    ],
)
def test_a_question_without_options_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NoPrompt, match=reason):
        find_choices(text)


@pytest.mark.parametrize(
    "answer",
    [
        "<think>\nIs it \\boxed{A}? no\n</think>\nMars, so \\boxed{B}",
        "It is \\boxed{\\text{B}}.",
        "It is \\boxed{(B)}.",
        "It is \\boxed{\\text{B) Mars}}.",
        "It is \\boxed{Mars}.",
        "Iron oxide. The correct answer is **B**.",
        "Iron oxide.\n\n**Answer: B**",
        "Iron oxide. Therefore, the answer is option (B).",
        "Not A: the answer is A only for Venus. The final answer is: $\\boxed{B}$",
        "B",
        "**B) Mars**",
    ],
)
def test_the_right_option_is_read_from_a_worked_answer(answer: str) -> None:
    assert right_option(answer, PLANETS) == 1


def test_a_letter_that_is_also_another_options_words_is_refused() -> None:
    speeds = ("2c", "c", "0.8c")
    with pytest.raises(NoPrompt):
        right_option("The answer is C.", speeds)
    assert right_option("\\boxed{0.8c}", speeds) == 2
    assert right_option("The answer is B.", speeds) == 1


@pytest.mark.skipif(not MMLU.is_file(), reason=f"no {MMLU}")
@pytest.mark.parametrize("form", ["{letter}) {words}", "({letter}) {words}", "{letter}. {words}", "{letter}: {words}"])
def test_of_3018_real_questions_one_in_a_hundred_is_refused_and_none_is_read_wrongly(form: str) -> None:
    answers = (
        "<think>\nIs it A? Or B.\n</think>\nso \\boxed{%s}",
        "The correct answer is **%s**.",
        "\\boxed{\\text{%s}}",
        "**Answer: %s**",
    )
    refused = 0
    rows = list(read_jsonl(MMLU))
    for number, row in enumerate(rows):
        shown = [form.format(letter="ABCD"[place], words=words) for place, words in enumerate(row["choices"])]
        try:
            found = find_choices("\n".join([row["question"], *shown]))
            right = right_option(answers[number % 4] % "ABCD"[row["answer"]], found.options)
        except NoPrompt:
            refused += 1
            continue
        assert found.options == tuple(words.strip(" \t\n,;") for words in row["choices"])
        assert right == row["answer"]
    assert refused <= len(rows) / 100


@pytest.mark.parametrize(
    "answer",
    [
        "A long story about planets " * 20,
        "The answer is Jupiter.",
        "\\boxed{E}",
        "\\boxed{B) Saturn}",
        "The answer is Both of them",
        "",
    ],
)
def test_an_answer_that_names_no_option_is_refused(answer: str) -> None:
    with pytest.raises(NoPrompt):
        right_option(answer, PLANETS)
