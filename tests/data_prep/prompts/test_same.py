import pytest

from data_prep.prompts.same import prompt_key, without_instructions

ASKED = "Find the value of $x$ if $\\frac{x}{3} = 3.14 + 1$."


@pytest.mark.parametrize(
    "other",
    [
        "find the value of x if \\frac{x}{3}=3.14+1",
        "Find  the value of $x$\nif $\\dfrac{x}{3} = 3.14 + 1$.",
        ASKED + " Let's think step by step and output the final answer within \\boxed{}.",
        "Solve the following math problem. Put the final answer in \\boxed{}.\n\n" + ASKED,
        ASKED + "\nPlease put your final answer within \\boxed{}.",
    ],
)
def test_spelling_layout_and_instructions_make_no_difference(other: str) -> None:
    assert prompt_key(other) == prompt_key(ASKED)


@pytest.mark.parametrize(
    "other",
    [
        "Find the value of $x$ if $\\frac{x}{3} = 3.14 - 1$.",
        "Find the value of $x$ if $\\frac{x}{3} = 3.15 + 1$.",
        "Find the value of $y$ if $\\frac{x}{3} = 3.14 + 1$.",
    ],
)
def test_another_sign_number_or_letter_is_another_prompt(other: str) -> None:
    assert prompt_key(other) != prompt_key(ASKED)


def test_sentences_that_ask_are_left_alone() -> None:
    assert without_instructions(ASKED) == ASKED
    only = "Put your final answer within \\boxed{}."
    assert without_instructions(only) == only
