"""What the harness's YAML in this folder calls."""

from __future__ import annotations

from typing import Any

import numpy as np


def label(doc: dict[str, Any]) -> int:
    return int(doc["answer"])


def beginnings(doc: dict[str, Any]) -> list[str]:
    before = doc["sentence"].partition("_")[0]
    return [before + doc["option1"], before + doc["option2"]]


def end(doc: dict[str, Any]) -> str:
    return str(doc["sentence"].partition("_")[2].strip())


def mass_of_the_true(doc: dict[str, Any], results: list[tuple[float, bool]]) -> dict[str, float]:
    probabilities = np.exp(np.array([logprob for logprob, _ in results]) / 20)
    true = np.array(doc["labels"]) == 1
    return {"acc": float(probabilities[true].sum() / probabilities.sum())}
