"""Every layout trains alike: losses and grad norms of 20 steps from one checkpoint, against one process.

`make test` runs a few of the cases; PRISM_TEST_FULL=1 runs all, and with PRISM_WRITE_DOCS=1 writes their table into
docs/parallelism.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.megatron.equality_cases import CASES, QUICK, STEPS, Case
from tests.models.tiny_io import ROOT, run

CHOSEN = tuple(CASES) if os.environ.get("PRISM_TEST_FULL") == "1" else QUICK
PAGE = ROOT / "docs" / "parallelism.md"
BEGIN, END = "<!-- table of test_equality: begin -->", "<!-- table of test_equality: end -->"
ATTENTION = ("self_attention.", "input_layernorm.")

pytestmark = pytest.mark.xdist_group("equality")


@dataclass(frozen=True)
class Trained:
    """(loss, grad norm) of each step; keys of weights that have changed; the loss of three rows after the last step."""

    steps: Sequence[tuple[float, float]]
    changed: Sequence[str]
    evaluated: float


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Trained]:
    root = tmp_path_factory.mktemp("equality")
    run("tests.megatron.equality_worker", root, *CHOSEN)
    found: dict[str, Trained] = {}
    for file in root.glob("*.json"):
        found |= {key: Trained(**result) for key, result in json.loads(file.read_text()).items()}
    if os.environ.get("PRISM_WRITE_DOCS") == "1":
        _write_table(found)
    return found


def differences(case: Case, trained: Mapping[str, Trained]) -> tuple[float, float]:
    """Largest relative difference of losses and of grad norms from one process's."""
    own, expected = trained[case.key].steps, trained[case.reference].steps
    assert len(own) == len(expected) == STEPS
    pairs = list(zip(own, expected, strict=True))
    losses, norms = ([abs(a[part] / b[part] - 1) for a, b in pairs] for part in (0, 1))
    return max(losses), max(norms)


@pytest.mark.timeout(3_600)  # the first case waits for all
@pytest.mark.parametrize("key", CHOSEN)
def test_a_layout_trains_as_one_process_does(key: str, trained: Mapping[str, Trained]) -> None:
    case = CASES[key]
    loss, norm = differences(case, trained)
    assert loss <= case.tolerances[0]
    assert norm <= case.tolerances[1]
    assert trained[key].evaluated == pytest.approx(trained[case.reference].evaluated, rel=case.tolerances[0])
    first, last = trained[key].steps[0][0], trained[key].steps[-1][0]
    assert last < first - 0.01  # it learns: figures of a model that stood still would agree too


@pytest.mark.parametrize("key", [key for key in CHOSEN if CASES[key].trainable == "attention"])
def test_attention_alone_is_trained_at_any_layout(key: str, trained: Mapping[str, Trained]) -> None:
    changed = trained[key].changed
    assert any("linear_qkv" in name for name in changed)
    assert any("linear_proj" in name for name in changed)
    assert all(any(part in name for part in ATTENTION) for name in changed)


def test_all_weights_are_trained_otherwise(trained: Mapping[str, Trained]) -> None:
    for key in CHOSEN:
        case = CASES[key]
        if case.trainable == "all" and len(case.legs) == 1 and case.precision == "fp32":
            assert trained[key].changed == trained[case.reference].changed


def _write_table(trained: Mapping[str, Trained]) -> None:
    rows = ["| layout | processes | model | batch | largest loss difference | largest grad norm difference |"]
    rows.append("|---|---|---|---|---|---|")
    for key in CHOSEN:
        case = CASES[key]
        loss, norm = differences(case, trained)
        batch = "packed" if case.packed else "plain"
        rows.append(f"| {case.name} | {case.processes} | {case.model} | {batch} | {loss:.1e} | {norm:.1e} |")
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    Path(PAGE).write_text(before + BEGIN + "\n" + "\n".join(rows) + "\n" + END + after)
