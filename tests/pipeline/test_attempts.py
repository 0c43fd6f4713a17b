"""Tries of a node and the goodput that follows from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_prep.files import write_jsonl
from prism.pipeline.attempts import Attempt, begin_attempt, end_attempt, read_attempts
from prism.pipeline.goodput import goodput


def test_a_try_that_was_killed_ends_with_its_last_sign_of_life(tmp_path: Path) -> None:
    begin_attempt(tmp_path, "mid", 2, since=1_000.0)
    log = tmp_path / "logs" / "mid.log"
    log.write_text("step 3\n")
    os.utime(log, (1_060.0, 1_060.0))
    begin_attempt(tmp_path, "mid", 2, since=5_000.0)
    end_attempt(tmp_path, "mid", 0)
    killed, whole = read_attempts(tmp_path, "mid")
    assert (killed.began, killed.ended, killed.code) == (1_000.0, 1_060.0, None)
    assert whole.code == 0 and whole.ended is not None and whole.ended > 5_000.0


def test_a_job_is_noted_with_its_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    begin_attempt(tmp_path, "evaluate:mid", 16)
    (tried,) = read_attempts(tmp_path, "evaluate:mid")
    assert (tried.job, tried.machines, tried.processes, tried.ended) == ("17", "n[1-2]", 16, None)


def test_goodput_counts_a_step_once_and_waits_of_the_queue_not_at_all(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    write_jsonl(metrics, [{"step": step, "timing": {"seconds": 2.0}} for step in (1, 2, 3, 3, 4)])
    tried = [Attempt(0.0, 2, ended=6.0), Attempt(100.0, 2, ended=110.0, code=0)]
    found = goodput(tried, metrics)
    assert (found.tries, found.held_s, found.productive_s, found.share) == (2, 16.0, 8.0, 0.5)


def test_a_try_that_still_runs_counts_up_to_now(tmp_path: Path) -> None:
    tried = [Attempt(0.0, 2, ended=6.0), Attempt(100.0, 2)]
    assert goodput(tried, tmp_path / "none", now=104.0).held_s == 10.0
    assert goodput(tried, tmp_path / "none").held_s == 6.0


def test_without_steps_there_is_no_share(tmp_path: Path) -> None:
    found = goodput([Attempt(0.0, 1, ended=5.0, code=0)], tmp_path / "none")
    assert (found.productive_s, found.share) == (None, None)
