"""Multiple choice in the form that the prompt asked for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.errors import BadInput
from prism.score.choice import verify_choice
from prism.score.choice_templates import CHOICE_TEMPLATES, ChoiceTemplate
from tests.score.hostile import hostile_answers
from tests.score.math_cases import DATA

CHOICES = ["glass", "hot fire", "ice", "iron"]
MMLU: Path = DATA / "mmlu_stem" / "test.jsonl"
TEMPLATES = list(CHOICE_TEMPLATES.values())
LETTERS = [template for template in TEMPLATES if not template.in_words]


def right(answer: str, template: str | None, gold: str = "hot fire", choices: list[str] | None = None) -> bool:
    verifier = {"kind": "choice", "choices": choices or CHOICES, "template": template}
    return verify_choice([{"prompt": "?", "answer": gold, "verifier": verifier}], [answer])[0]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.id)
def test_a_templates_own_form_is_accepted_after_prose_and_other_options_are_not(template: ChoiceTemplate) -> None:
    for letter, words in zip("ABCD", CHOICES, strict=True):
        answer = template.example(letter, words)
        assert right(answer, template.id) is (words == "hot fire")
        assert right(f"A good reason is that I saw it.\n{answer}", template.id) is (words == "hot fire")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.id)
def test_an_instruction_says_how_and_an_example_stands_in_no_prompt(template: ChoiceTemplate) -> None:
    assert template.instruction.endswith(".")
    assert not any(right(template.instruction, template.id, gold=gold) for gold in "ABCD")


@pytest.mark.parametrize("template", LETTERS, ids=lambda template: template.id)
def test_an_answer_that_states_two_options_is_wrong_in_any_order(template: ChoiceTemplate) -> None:
    ours, other = template.example("B", "hot fire"), template.example("C", "ice")
    assert not right(f"{ours}\n{other}", template.id)
    assert not right(f"{other}\n{ours}", template.id)
    assert not right(template.example("B or C", ""), template.id)
    assert not right(template.example("A, B", ""), template.id)
    assert right(f"{ours}\n{ours}", template.id)


@pytest.mark.parametrize("template", LETTERS, ids=lambda template: template.id)
@pytest.mark.parametrize(
    "prose", ["A good reason is B12.", "B is for hot fire, I think", "b", "Option B", "hot fire", "B\nA", ""]
)
def test_a_letter_in_prose_is_no_answer(template: ChoiceTemplate, prose: str) -> None:
    assert right(prose, template.id) is (template.id == "letter" and prose == "b")


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        ("answer_letter", "Answer: (B)"),
        ("answer_letter", "**Answer: B**"),
        ("answer_letter", "Answer: B. hot fire"),
        ("answer_letter", "Final Answer: B"),
        ("the_answer_is", "So the answer is B"),
        ("the_answer_is", "The correct answer is (B) hot fire."),
        ("boxed_letter", "It is $\\boxed{\\text{B}}$."),
        ("boxed_letter", "\\boxed{(B)}"),
        ("bold_letter", "It is **B.**"),
        ("letter", "(B)"),
        ("words", "Hot fire."),
        ("answer_words", "answer is below\nAnswer: hot  fire."),
    ],
)
def test_small_liberties_are_taken(template: str, answer: str) -> None:
    assert right(answer, template)


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        ("answer_letter", "Answer: B. ice"),
        ("answer_letter", "Answer: hot fire"),
        ("answer_letter", "B"),
        ("boxed_letter", "Answer: B"),
        ("answer_words", "Answer: B"),
        ("words", "B"),
        ("words", "hot fire or ice"),
        ("boxed_letter", "\\boxed{AB}"),
        ("boxed_letter", "\\boxed{E}"),
    ],
)
def test_another_form_or_another_option_is_wrong(template: str, answer: str) -> None:
    assert not right(answer, template)


@pytest.mark.parametrize(
    "answer",
    ["The answer is (B).", "I think so.\nAnswer: B", "so \\boxed{B}", "**B**", "<answer>B</answer>", "B. hot fire"],
)
def test_without_a_template_the_usual_forms_are_accepted(answer: str) -> None:
    assert right(answer, None)


@pytest.mark.parametrize(
    "answer",
    [
        "A good reason",
        "B good reasons",
        "The answer is A good one",
        "The answer is B or C",
        "Answer: B, C",
        "\\boxed{B} \\boxed{C}",
    ],
)
def test_without_a_template_prose_and_several_options_are_wrong(answer: str) -> None:
    assert not right(answer, None) and not right(answer, None, gold="glass")


def test_a_letter_template_means_the_place_of_the_option() -> None:
    assert right("Answer: A", "answer_letter", gold="B", choices=["B", "A"])


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(BadInput, match=r"template 'haiku'.*letter, answer_letter"):
        right("B", "haiku")


@pytest.mark.parametrize("name", [None, *CHOICE_TEMPLATES])
def test_hostile_answers_are_wrong_at_once(name: str | None) -> None:
    for answer in hostile_answers(150, seed=2):
        start = time.monotonic()
        accepted = right(answer, name, gold="glass", choices=["glass", "hot fire"])
        assert time.monotonic() - start < 0.5, answer[:100]
        assert not accepted or len(answer) < 2_000


@pytest.mark.skipif(not MMLU.is_file(), reason=f"MMLU isn't at {MMLU}; PRISM_DATA names its folder")
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.id)
def test_real_questions_are_judged_in_every_form(template: ChoiceTemplate) -> None:
    wrong = []
    for row in list(read_jsonl(MMLU))[::6]:
        choices = [str(choice) for choice in row["choices"]]
        gold = choices[row["answer"]]
        if len({" ".join(choice.split()).casefold() for choice in choices}) < len(choices):
            continue  # the same words twice
        for place, words in enumerate(choices):
            answer = template.example("ABCD"[place], " ".join(words.split()))
            if right(answer, template.id, gold=gold, choices=choices) is not (place == row["answer"]):
                wrong.append((answer, gold, choices))
    assert wrong == []
