"""Exact match."""

from __future__ import annotations

from prism.score.exact import verify_exact


def test_answers_match_up_to_white_space_alone() -> None:
    answers = ["x * 4 + 3", " x  *\n4 + 3 ", "x * 4 + 2", "x*4+3", ""]
    rows = [{"prompt": "?", "answer": "x * 4 + 3", "verifier": {"kind": "exact"}}] * len(answers)
    assert verify_exact(rows, answers) == [True, True, False, False, False]
