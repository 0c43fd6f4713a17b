"""Exact deduplication."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from datatrove.pipeline.base import PipelineStep

from data_prep.dedup import DropDuplicates, FindDuplicates, find_duplicates
from data_prep.dedup import steps as dedup_steps
from data_prep.errors import DataError
from tests.data_prep.dedup.planted import Texts, kept, made_up


def alone(name: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
    """Runs the tasks here, one after the other, the last first."""
    for rank in reversed(range(tasks)):
        stream = None
        for step in pipeline:
            stream = step.run(stream, rank, tasks)
        list(stream or ())


def first_of_each(units: list[list[str]]) -> set[str]:
    seen, ids = set[str](), set[str]()
    for unit, texts in enumerate(units):
        for position, text in enumerate(texts):
            if not text.split() or " ".join(text.split()) not in seen:
                ids.add(f"{unit}/{position}")
            seen.add(" ".join(text.split()))
    return ids


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_of_equal_documents_is_kept(tmp_path: Path, workers: int) -> None:
    stream = random.Random(1)
    texts = [made_up(stream, stream.randrange(6)) for _ in range(400)]
    units = [stream.choices(texts, k=count) for count in (300, 0, 200, 1, 499)]

    assert kept("exact", units, tmp_path, workers) == first_of_each(units)


def test_white_space_around_a_document_makes_no_difference_all_else_does(tmp_path: Path) -> None:
    units = [["if a:\n    b", "\n if a:\n    b ", "if a:\n  b", "If a:\n    b", "caf\u00e9", "cafe\u0301", "\ud800"]]

    assert kept("exact", units, tmp_path) == {"0/0", "0/2", "0/3", "0/4", "0/5", "0/6"}


def test_many_slices_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = random.Random(2)
    texts = [made_up(stream, 5) for _ in range(300)]
    units = [stream.choices(texts, k=250) for _ in range(4)]
    whole = find_duplicates("exact", [Texts(units)], tmp_path / "whole", 4, alone)
    monkeypatch.setattr(dedup_steps, "_AT_ONCE", 90)

    cut = find_duplicates("exact", [Texts(units)], tmp_path / "cut", 4, alone)

    assert len(list((tmp_path / "cut").glob("*.found.npy"))) == 12
    assert whole == cut and whole.dropped == 1_000 - len(first_of_each(units))
    assert (tmp_path / "whole/drops.npy").read_bytes() == (tmp_path / "cut/drops.npy").read_bytes()


def test_a_stage_that_was_killed_and_runs_again_finds_the_same(tmp_path: Path) -> None:
    units = [["a", "b"], ["b", "c"], ["a", "d"]]
    report = find_duplicates("exact", [Texts(units)], tmp_path, 3, alone)
    wanted = (tmp_path / "drops.npy").read_bytes()
    (tmp_path / "00001.keys.npy").write_bytes(b"\x93NUMPY")  # cut short, and unmarked: its task runs again
    (tmp_path / "drops.npy").unlink()

    assert find_duplicates("exact", [Texts(units)], tmp_path, 3, alone) == report
    assert (tmp_path / "drops.npy").read_bytes() == wanted


def test_a_damaged_file_of_keys_is_named(tmp_path: Path) -> None:
    find_duplicates("exact", [Texts([["a", "b"]])], tmp_path, 1, alone)
    whole = (tmp_path / "00000.keys.npy").read_bytes()
    (tmp_path / "00000.keys.npy").write_bytes(whole[:-4])

    with pytest.raises(DataError, match=r"00000\.keys\.npy.*run again"):
        alone("compare", [FindDuplicates("exact", tmp_path, 1, 1)], 1)


def test_other_documents_than_in_the_first_pass_are_refused(tmp_path: Path) -> None:
    find_duplicates("exact", [Texts([["a", "b"]])], tmp_path, 1, alone)

    with pytest.raises(DataError, match="unit 0 has 1 documents, it had 2"):
        alone("drop", [Texts([["a"]]), DropDuplicates(tmp_path)], 1)


def test_a_drop_before_the_search_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"drops\.json: the file is missing"):
        alone("drop", [Texts([["a"]]), DropDuplicates(tmp_path)], 1)
