import pytest

from data_prep.prompts.mathematics import math_answer
from data_prep.prompts.reasons import NoPrompt


@pytest.mark.parametrize(
    ("published", "answer"),
    [
        ("7", "7"),
        (7, "7"),
        (0.5, "0.5"),
        (["7", "7.0"], "7"),
        ('["7", "7.0"]', "7"),
        ('"\\\\frac{1}{2}"', "\\frac{1}{2}"),
        ([["7"]], "7"),
        ("\\boxed{12}", "12"),
        ("$\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
        ("\\boxed{1} and \\boxed{2}", "\\boxed{1} and \\boxed{2}"),
        ("[1, 2)", "[1, 2)"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_an_answer_is_found_in_each_form_that_the_sets_publish(published: object, answer: str) -> None:
    assert math_answer(published) == answer


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ("", "no answer"),
        ("-", "no answer"),
        ("N/A", "no answer"),
        (None, "no answer"),
        ([], "no answer"),
        (True, "no answer"),
        ("see the proof", "a proof"),
        ("x" * 301, "more than 300"),
    ],
)
def test_what_no_response_can_be_compared_with_is_refused(published: object, reason: str) -> None:
    with pytest.raises(NoPrompt, match=reason):
        math_answer(published)
