"""The torch scan against mamba-ssm's own Triton kernels, in Triton's interpreter; see `tests.kernels.triton_parity`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ABSENT = [name for name in ("triton", "mamba_ssm", "einops") if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)}: in the extra `triton` of pyproject.toml")


@pytest.fixture(scope="module")
def parity() -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.kernels.triton_parity"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "variant",
    ["plain", "groups", "packed", "continued", "packed, continued", "packed, continued, numbered from 3"],
)
def test_outputs_state_and_gradients_equal_those_of_the_triton_kernels(parity: dict[str, Any], variant: str) -> None:
    differences = parity["differences"][variant]
    assert {"y", "state", "dx", "ddt", "dA", "dB", "dC", "dD"} <= set(differences)
    assert ("dinitial_state" in differences) == ("continued" in variant)
    assert {name: value for name, value in differences.items() if not value <= 1e-4} == {}
