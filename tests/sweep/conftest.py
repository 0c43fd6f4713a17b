"""Sweeps written for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from prism.recipe.sweeps import SweepFile, load_sweep

WriteSweep = Callable[[str], SweepFile]

BEGINNING = """
recipe: miniature
figures: {solved: pass_rate('mid')}
"""


@pytest.fixture
def write(tmp_path: Path) -> WriteSweep:
    """Writes a sweep of the miniature, with further keys, as mine.yaml, and reads it."""

    def writer(text: str) -> SweepFile:
        path = tmp_path / "mine.yaml"
        text = dedent(text)
        path.write_text(text if "recipe:" in text else BEGINNING.lstrip() + text.lstrip("\n"))
        return load_sweep(path)

    return writer
