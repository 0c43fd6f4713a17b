"""Figures lead back to files, as their bytes were when they were read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from prism.report import load_results
from prism.report.sections.artifacts import artifacts


def test_every_file_that_was_read_is_listed_with_the_hash_of_its_bytes(miniature_run: Path) -> None:
    shown = artifacts(load_results(miniature_run))
    sections = {one.file.path: one.section for one in shown}
    assert sections["stages/mid/metrics.jsonl"] == "training"
    assert sections["stages/rl/metrics.jsonl"] == "rl"
    assert sections["analysis/weights/base__mid.json"] == "weights"
    assert sections["recipe.yaml"] == "recipe"
    for one in shown:
        content = (miniature_run / one.file.path).read_bytes()
        assert (one.file.bytes, one.file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_page_shows_the_hashes(miniature_run: Path) -> None:
    page = (miniature_run / "report.html").read_text()
    assert hashlib.sha256((miniature_run / "stages/mid/metrics.jsonl").read_bytes()).hexdigest() in page
