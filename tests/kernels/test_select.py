"""Which kernels are taken, and what happens when a recipe names one that isn't there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from prism.errors import RecipeError
from prism.kernels.conv import causal_conv
from prism.kernels.select import choose, demand, try_import
from prism.kernels.ssd import ssd_scan

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def no_wishes() -> Iterator[None]:
    demand()
    yield
    demand()


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mamba_ssm whose binary belongs to another torch, as Python's loader reports it."""
    package = tmp_path / "mamba_ssm" / "ops" / "triton"
    package.mkdir(parents=True)
    for folder in (package.parents[1], package.parent, package):
        (folder / "__init__.py").touch()
    (package / "ssd_combined.py").write_text(
        'raise ImportError("selective_scan_cuda.so: undefined symbol: _ZN3c104cuda")'
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("mamba_ssm")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_cpu_takes_torch_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "prism.kernels"):
        kernels = choose(CPU, torch.float32)
    assert (kernels.scan, kernels.conv) == (ssd_scan, causal_conv)
    assert "scan on cpu float32: torch, because mamba_ssm needs CUDA" in caplog.text


def test_torch_can_be_asked_for() -> None:
    demand(scan="torch")
    assert choose(CUDA, torch.float32).reasons["scan"] == "torch, because kernels.scan says so"


def test_a_named_kernel_that_is_absent_is_an_error() -> None:
    demand(conv="causal_conv1d")
    with pytest.raises(RecipeError, match=r"kernels\.conv: causal_conv1d can't be used: causal_conv1d needs CUDA"):
        choose(CPU, torch.float32)


@pytest.mark.usefixtures("broken")
def test_a_binary_of_another_torch_is_called_so() -> None:
    assert f"built for another torch than {torch.__version__}" in (
        try_import("mamba_ssm.ops.triton.ssd_combined")[1] or ""
    )
    assert choose(CUDA, torch.bfloat16).scan is ssd_scan
    demand(scan="mamba_ssm")
    with pytest.raises(RecipeError, match="built for another torch"):
        choose(CUDA, torch.bfloat16)
