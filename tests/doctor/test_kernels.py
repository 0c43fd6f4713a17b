"""Kernels that are absent, built for another torch, wrong, or right."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from prism.doctor import Machine, Row, Verdict, held_to
from prism.doctor.kernels import kernels, outcome, run_conv, run_scan
from prism.kernels.conv import causal_conv
from prism.kernels.ssd import ssd_scan


def rows() -> dict[str, Row]:
    return {row.name: row for row in kernels(Machine(), run=True)}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A causal_conv1d whose binary belongs to another torch, as Python's loader reports it."""
    (tmp_path / "causal_conv1d").mkdir()
    (tmp_path / "causal_conv1d" / "__init__.py").write_text(
        'raise ImportError("causal_conv1d_cuda.so: undefined symbol: _ZN3c104cuda")'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "causal_conv1d", raising=False)


def test_without_a_gpu_torch_takes_over_and_its_attention_computes() -> None:
    found = rows()
    assert found["attention"].verdict is Verdict.OK
    assert found["causal_conv1d"].verdict is Verdict.UNNEEDED
    assert "shifted adds in torch" in found["causal_conv1d"].found


def test_a_missing_kernel_that_is_required_fails() -> None:
    (row,) = [row for row in held_to(list(rows().values()), ["apex"]) if row.name == "apex"]
    assert row.verdict is Verdict.FAILS


@pytest.mark.usefixtures("broken")
def test_a_binary_of_another_torch_fails_with_the_command_that_rebuilds_it() -> None:
    row = rows()["causal_conv1d"]
    assert row.verdict is Verdict.FAILS
    assert f"built for another torch than {torch.__version__}" in row.found
    assert row.remedy == (
        "CAUSAL_CONV1D_FORCE_BUILD=TRUE pip install --no-deps --no-build-isolation --no-cache-dir --force-reinstall "
        "causal-conv1d==1.7.0"
    )


def twin_of_mamba(error: float) -> Any:
    """mamba_ssm's signature over the reference, wrong by a factor."""

    def scan(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, chunk_size: int, **given: Any) -> Tensor:
        y = ssd_scan(x, dt, A, B, C, given["D"], chunk_size=chunk_size, seq_idx=given["seq_idx"]).y
        return y * (1 + error)

    return SimpleNamespace(mamba_chunk_scan_combined=scan)


def twin_of_conv(forgets_documents: bool) -> Any:
    def conv(x: Tensor, weight: Tensor, bias: Tensor, *, seq_idx: Tensor, **_: Any) -> Tensor:
        return causal_conv(x.mT, weight, bias, seq_idx=None if forgets_documents else seq_idx).mT

    return SimpleNamespace(causal_conv1d_fn=conv)


def test_a_kernel_that_computes_what_the_reference_does_passes() -> None:
    assert run_scan(twin_of_mamba(0.0), "cpu") is None
    assert run_conv(twin_of_conv(False), "cpu") is None


def test_a_kernel_that_is_wrong_is_told_by_its_worst_tensor() -> None:
    assert "scan differs: " in (run_scan(twin_of_mamba(1e-3), "cpu") or "")
    assert "conv differs: " in (run_conv(twin_of_conv(True), "cpu") or "")


def test_a_kernel_that_raises_is_a_finding_and_not_the_end() -> None:
    def run(_: Any) -> str | None:
        raise RuntimeError("CUDA error: no kernel image is available\nmore")

    assert outcome(run, None) == "doesn't run (RuntimeError: CUDA error: no kernel image is available)"
