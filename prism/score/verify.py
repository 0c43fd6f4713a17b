"""Responses to verdicts: the format gate, then the verifier that each prompt names."""

from __future__ import annotations

from collections.abc import Sequence

from prism.errors import BadInput
from prism.prompts import split_response
from prism.score.choice import verify_choice
from prism.score.code import verify_code
from prism.score.exact import verify_exact
from prism.score.math import verify_math
from prism.score.verdict import PromptRow, Verdict, Verifier

VERIFIERS: dict[str, Verifier] = {
    "exact": verify_exact,
    "choice": verify_choice,
    "math": verify_math,
    "code": verify_code,
}


def verify(items: Sequence[tuple[PromptRow, str]]) -> list[Verdict]:
    """A verdict a response. Without the think tags the whole text counts as the answer, but isn't `formatted`.

    Raises:
        BadInput: a prompt names no verifier, or an unknown one.
    """
    parts = [split_response(text) for _, text in items]
    answers = [part.answer if part else text.strip() for part, (_, text) in zip(parts, items, strict=True)]
    correct = [False] * len(items)
    by_kind: dict[str, list[int]] = {}
    for index, (row, _) in enumerate(items):
        by_kind.setdefault(_kind(row), []).append(index)
    for kind, indices in by_kind.items():
        right = VERIFIERS[kind]([items[index][0] for index in indices], [answers[index] for index in indices])
        for index, is_right in zip(indices, right, strict=True):
            correct[index] = is_right
    return [
        Verdict(is_right, part is not None, answer)
        for is_right, part, answer in zip(correct, parts, answers, strict=True)
    ]


def _kind(row: PromptRow) -> str:
    kind = row.get("verifier", {}).get("kind")
    if not isinstance(kind, str) or kind not in VERIFIERS:
        raise BadInput(
            f"verifier kind {kind!r}",
            place=f"prompt {row.get('id', row.get('prompt', '?'))}",
            remedy=f"use one of {', '.join(VERIFIERS)}",
        )
    return kind
