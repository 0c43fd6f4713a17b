"""The samples file: appended in whole batches, gone on with, written by one rank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prism.evaluate.samples import SamplesFile
from tests.forks import run_program
from tests.models.tiny_io import ROOT


def batch(*numbers: int) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "prompt": "ä?", "responses": [{"text": "long " * n, "correct": True}], "greedy": None}
        for n in numbers
    ]


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def write(path: Path, *batches: list[dict[str, Any]], total: int = 5) -> bytes:
    samples = SamplesFile(path, "key", total, at_once=2)
    for one in batches:
        samples.append(one)
    return path.read_bytes()


def test_batches_are_appended_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.jsonl"
    first = write(path, batch(0, 1))
    inode = path.stat().st_ino
    whole = write(path, batch(2, 3), batch(4))
    assert whole.startswith(first) and path.stat().st_ino == inode and ids(path) == list("01234")


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_wherever_a_kill_cuts_it_goes_on_at_a_whole_batch(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    whole = write(path, batch(0, 1), batch(2, 3), batch(4))
    path.write_bytes(whole[:-cut])
    samples = SamplesFile(path, "key", 5, at_once=2)
    assert len(samples.lines) == 4
    samples.append(batch(4))
    assert path.read_bytes() == whole


def test_lines_of_another_key_and_all_behind_them_are_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    write(path, batch(0, 1), batch(2, 3))
    other = SamplesFile(path, "another", 5, at_once=2)
    assert other.lines == [] and len(ids(path)) == 4  # until something is written
    other.append(batch(7))
    assert ids(path) == ["7"]


def test_texts_are_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    samples = SamplesFile(path, "key", 5, at_once=2)
    samples.append(batch(3, 4))
    for lines in (samples.lines, SamplesFile(path, "key", 5, at_once=2).lines):
        assert "long" not in repr(lines) and [line["responses"][0]["correct"] for line in lines] == [True, True]
    assert "long" in path.read_text()


def test_one_rank_reads_and_writes_and_all_go_on_alike(tmp_path: Path) -> None:
    run_program(str(ROOT / "tests" / "evaluate" / "samples_ranks.py"), [str(tmp_path)], ranks=2)
    assert ids(tmp_path / "0" / "samples.jsonl") == list("0123")
    assert not (tmp_path / "1").exists()
    for rank in (0, 1):
        assert (tmp_path / f"begun_3_{rank}").read_text() == "0" and (tmp_path / f"begun_4_{rank}").read_text() == "3"
        assert [line["id"] for line in json.loads((tmp_path / f"lines_{rank}").read_text())] == list("0123")
