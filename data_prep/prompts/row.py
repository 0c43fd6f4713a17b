"""A source's row as a prompt: the question, its answer and what verifies a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_prep.errors import DataError
from data_prep.prompts.choices import find_choices, right_option
from data_prep.prompts.code_tests import Limits, code_tests
from data_prep.prompts.mathematics import math_answer
from data_prep.prompts.reasons import NoPrompt
from data_prep.prompts.same import prompt_key, without_instructions
from data_prep.rows import Row, value
from data_prep.schema import PromptsConfig, SourceConfig

__all__ = ["NoPrompt", "PreparedPrompt", "prompt_row"]


@dataclass(frozen=True)
class PreparedPrompt:
    """`row` is a line of the prompt set; `key` is equal for prompts that ask the same.

    tests_left_out: of the published tests, those beyond the limits.
    """

    key: int
    row: dict[str, Any]
    tests_left_out: int = 0


def prompt_row(row: Row, source: str, config: SourceConfig) -> PreparedPrompt:
    """The prompt of a row: {id, prompt, answer, domain, source, verifier}.

    Raises:
        NoPrompt: the row has no question, or no answer that can be verified.
    """
    rules = config.prompts
    assert rules is not None
    question = _column(row, config.question, "question")
    if not isinstance(question, str) or question.strip() in ("", "-"):
        raise NoPrompt("no question")
    found = _column(row, rules.answer or config.answer, "answer")
    made = {"math": _math, "choice": _choice, "code": _code}[rules.kind](question.strip(), found, row, rules)
    key = prompt_key(made["prompt"])
    left_out = made.pop("tests_left_out", 0)
    named = {"id": f"{source}:{key:016x}", "prompt": made["prompt"], "answer": made["answer"]}
    return PreparedPrompt(
        key, {**named, "domain": config.domain, "source": source, "verifier": made["verifier"]}, left_out
    )


def _math(question: str, found: Any, row: Row, rules: PromptsConfig) -> dict[str, Any]:
    return {"prompt": question, "answer": math_answer(found), "verifier": {"kind": "math"}}


def _choice(question: str, found: Any, row: Row, rules: PromptsConfig) -> dict[str, Any]:
    """The options keep their order; `verifier.question` is what stands before them, for other ways to show them."""
    if not isinstance(found, str):
        raise NoPrompt("no answer")
    parts = find_choices(question)
    right = right_option(found, parts.options)
    verifier = {
        "kind": "choice",
        "choices": list(parts.options),
        "question": without_instructions(parts.question),
    }
    return {"prompt": question, "answer": parts.options[right], "verifier": verifier}


def _code(question: str, found: Any, row: Row, rules: PromptsConfig) -> dict[str, Any]:
    name = _optional(row, rules.entry_point)
    tests = code_tests(found, name, Limits(rules.most_tests, rules.most_bytes))
    starter = _optional(row, rules.starter_code)
    if starter is not None:
        question = f"{question}\n\nBegin with this code:\n```python\n{starter.strip()}\n```"
    return {"prompt": question, "answer": "", "verifier": tests.verifier, "tests_left_out": tests.left_out}


def _column(row: Row, column: str, what: str) -> Any:
    try:
        return value(row, column)
    except DataError:
        raise NoPrompt(f"no {what}") from None


def _optional(row: Row, column: str | None) -> str | None:
    """Text of a column that only some of the set's files have."""
    if column is None:
        return None
    try:
        found = value(row, column)
    except DataError:
        return None
    return found if isinstance(found, str) and found.strip() else None
