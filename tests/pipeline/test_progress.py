"""What a user reads of a stage's newest row."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from prism.pipeline.progress import LiveDisplay, NodeProgress, PlainDisplay, last_row, read_progress

FAST = {"seconds": 0.5, "tokens_per_second": 131_072.0, "tokens_per_second_per_device": 16_384.0, "mfu": 0.4312}


def shown(tmp_path: Path, row: dict[str, Any]) -> str:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(json.dumps(row) + "\n")
    return str(read_progress("mid", 65.0, metrics, 200))


def test_a_row_on_devices_shows_speed_use_and_time_to_the_end(tmp_path: Path) -> None:
    row = {"step": 50, "loss": 2.5, "timing": {**FAST, "data_wait": 0.21, "eta_seconds": 7_620.0}}
    assert shown(tmp_path, row) == (
        "mid  step 50/200  loss 2.500, 131,072 tokens/s, 16,384 a device, MFU 43.1%, data wait 21%, ETA 2 h 07 min"
        "  1 min 05 s"
    )


def test_what_is_not_known_or_says_nothing_is_left_out(tmp_path: Path) -> None:
    timing = {"tokens_per_second": 900.0, "tokens_per_second_per_device": 900.0, "mfu": None, "data_wait": 0.05}
    assert shown(tmp_path, {"step": 200, "loss": 2.5, "timing": {**timing, "eta_seconds": 0.0}}) == (
        "mid  step 200/200  loss 2.500, 900 tokens/s  1 min 05 s"
    )


def test_skipped_steps_and_slow_ranks_are_seen(tmp_path: Path) -> None:
    row = {"step": 3, "loss": 2.5, "skipped": True, "timing": {"slow_ranks": ["rank 3 (node7) computes slower"]}}
    assert "loss 2.500, step skipped, slow: rank 3 (node7) computes slower" in shown(tmp_path, row)


def test_the_last_whole_row_counts_while_the_next_is_being_written(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "loss"')
    assert last_row(metrics) == {"step": 1, "loss": 3.0}
    assert read_progress("mid", 1.0, tmp_path / "none.jsonl", 5) == NodeProgress("mid", 1.0)


def test_plain_and_live_show_the_same_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = NodeProgress("mid", 65.0, 50, 200, "loss 2.500, ETA 40.0 s")
    monkeypatch.setattr("prism.pipeline.progress._PLAIN_EVERY_S", -1.0)
    PlainDisplay().show([node])
    assert capsys.readouterr().out == f"  running: {node}\n"
    monkeypatch.setenv("TERM", "xterm")  # a dumb terminal shows nothing live
    screen = io.StringIO()
    live = LiveDisplay(Console(file=screen, force_terminal=True, width=120))
    live.show([node])
    live.close()
    assert str(node) in screen.getvalue()
