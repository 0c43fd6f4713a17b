"""Exact match after white space is normalised."""

from __future__ import annotations

from collections.abc import Sequence

from prism.score.verdict import PromptRow


def verify_exact(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    return [normal(str(row["answer"])) == normal(answer) for row, answer in zip(rows, answers, strict=True)]


def normal(text: str) -> str:
    """One blank between words, none around."""
    return " ".join(text.split())
