"""What is missing is named with the extra that brings it."""

from __future__ import annotations

import pytest

from prism.errors import UsageError
from prism.evaluate.harness import installed


def test_another_release_of_the_harness_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "VERSION", "9.9.9")
    with pytest.raises(UsageError, match=r"lm-eval.*Remedy: pip install 'prism-megatron\[eval\]'"):
        installed.require_harness()


@pytest.mark.parametrize("package", ["no-such-package", "numpy==0.0.1"])
def test_a_package_that_a_task_needs_is_told_before_it_runs(package: str) -> None:
    with pytest.raises(UsageError, match=f"task t needs {package}"):
        installed.require_packages(["pydantic", package], "t")
