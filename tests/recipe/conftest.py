"""Recipes written for a test: small changes to the packaged miniature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WriteRecipe = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteRecipe:
    """Writes lines of YAML to a file in the test's folder and returns its path."""

    def writer(*lines: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    return writer
