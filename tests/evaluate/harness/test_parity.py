"""The same tasks on the same weights, with the harness's own model and with ours under several layouts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.harness.conftest import alone
from tests.models.tiny_io import run

LAYOUTS = {"TP2": "2x1", "DP2": "1x1", "PP2": "1x2"}
TASKS = [f"local_{name}" for name in "mmlu arc gsm8k perplexity lambada winogrande truthful".split()]
WITHIN = 1e-4
Found = Mapping[str, Any]

pytestmark = pytest.mark.xdist_group("harness")


@pytest.fixture(scope="module")
def ours(tiny: Path) -> Mapping[str, Found]:
    with alone(tiny, "ours") as wanted:
        if wanted:
            run("tests.evaluate.harness.observed", tiny, *LAYOUTS.values(), ranks=2)
    return {name: read(tiny, side) for name, side in LAYOUTS.items()}


@pytest.fixture(scope="module")
def theirs(tiny: Path) -> Found:
    return read(tiny, "hf")


def read(tiny: Path, side: str) -> Found:
    found: Found = json.loads((tiny / f"found.{side}.json").read_text())
    return found


def values(found: Found, task: str) -> Mapping[str, float]:
    """Metrics by name and filter."""
    return {key: value for key, value in found["results"][task].items() if "," in key and "_stderr" not in key}


def answers(found: Found, task: str) -> Iterator[tuple[str, Any]]:
    """Every logprob, verdict and text that the model gave, by document."""
    for sample in found["samples"][task]:
        yield from flat(f"{sample['doc_id']} {sample['filter']}", sample["resps"])


def flat(name: str, nested: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(nested, list):
        for number, part in enumerate(nested):
            yield from flat(f"{name}.{number}", part)
    else:
        yield name, nested


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("task", TASKS)
def test_every_answer_is_that_of_the_harness_own_model(
    ours: Mapping[str, Found], theirs: Found, task: str, layout: str
) -> None:
    expected, found = dict(answers(theirs, task)), dict(answers(ours[layout], task))
    assert len(expected) >= 12 and expected.keys() == found.keys()
    assert [sample["prompt_hash"] for sample in theirs["samples"][task]] == [
        sample["prompt_hash"] for sample in ours[layout]["samples"][task]
    ]
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value, abs=WITHIN) if isinstance(value, float) else value), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("task", [*TASKS, "local_stem"])
def test_every_accuracy_is_that_of_the_harness_own_model(
    ours: Mapping[str, Found], theirs: Found, task: str, layout: str
) -> None:
    expected = values(theirs, task)
    assert expected
    if task in ("local_perplexity", "local_lambada", "local_truthful"):  # made of likelihoods, to the last digit
        assert values(ours[layout], task) == pytest.approx(expected, rel=1e-5)
    else:
        assert values(ours[layout], task) == expected


def test_the_tasks_tell_models_apart(theirs: Found) -> None:
    """Both kinds of verdicts occur, texts differ, and contexts were cut: the comparison above isn't of constants."""
    verdicts = [value for _, value in answers(theirs, "local_lambada") if isinstance(value, bool)]
    assert 3 <= sum(verdicts) < len(verdicts)
    texts = [value for _, value in answers(theirs, "local_gsm8k")]
    assert len(set(texts)) > 5 and any(len(text) < 20 for text in texts)
    assert 0 < values(theirs, "local_stem")["acc,none"] < 1
