"""A sequence spread over ranks trains like one that isn't: windows, stretched RoPE, one and two Mamba groups."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.models.tiny_io import run

NAMES = ["llama_3_1_8b", "mistral_7b", "granite_4_h_micro", "nemotron_h_8b"]
pytestmark = pytest.mark.xdist_group("seven")


@pytest.fixture(scope="module")
def one_rank(seven: Path) -> dict[str, list[tuple[float, float]]]:
    run("tests.models.step_worker", seven, seven / "steps.1", 1, 1, *NAMES)
    return json.loads((seven / "steps.1").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize(("tensor", "context"), [(1, 2), (1, 4), (2, 2)], ids=["CP2", "CP4", "TP2xCP2"])
def test_losses_and_grad_norms_equal_one_rank_s(
    tensor: int, context: int, seven: Path, one_rank: dict[str, list[tuple[float, float]]]
) -> None:
    out = seven / f"steps.{tensor}.{context}"
    run("tests.models.step_worker", seven, out, tensor, context, *NAMES, ranks=tensor * context)
    found = json.loads(out.read_text())
    for name in NAMES:
        for step, expected in zip(found[name], one_rank[name], strict=True):
            assert step == pytest.approx(expected, rel=1e-5), name
