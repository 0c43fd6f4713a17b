"""Room and speed of a disk: a real one, a full one, one that is too small for a recipe."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from prism.doctor import Machine, Row, Verdict
from prism.doctor.disk import disk, measure


def rows(folder: Path, wanted_bytes: int = 0, *, speed: bool = True) -> dict[str, Row]:
    return {row.name: row for row in disk(Machine(folder), wanted_bytes, speed=speed)}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB with nothing free."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting isn't allowed here")
    try:
        (folder / "filler").write_bytes(b"x" * (1 << 20))
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_fails_with_what_to_do(full: Path) -> None:
    row = rows(full)["disk space"]
    assert row.verdict is Verdict.FAILS
    assert "0.0 GB free" in row.found and "run.directory" in row.remedy


def test_a_disk_that_fills_up_while_it_is_tried_fails_and_nothing_is_left(full: Path) -> None:
    (full / "filler").write_bytes(b"x" * (1 << 19))
    with pytest.raises(OSError, match="No space left"):
        measure(full, 1 << 20)
    assert [path.name for path in full.iterdir()] == ["filler"]


def test_a_recipe_that_needs_more_than_there_is_says_how_much(tmp_path: Path) -> None:
    row = rows(tmp_path, 10**18, speed=False)["disk space"]
    assert row.verdict is Verdict.FAILS
    assert "1,000,000,000.0 GB for checkpoints of this recipe" in row.found


def test_a_folder_that_takes_no_files_fails(tmp_path: Path) -> None:
    row = next(row for row in disk(Machine(Path("/proc/self")), 0, speed=True) if row.name == "disk speed")
    assert row.verdict is Verdict.FAILS


def test_speed_is_measured_on_the_folder_above_one_that_is_not_there_yet(tmp_path: Path) -> None:
    found = measure(tmp_path, 8 << 20)
    assert found.write > 0 and found.read > 0
    assert str(tmp_path) in rows(tmp_path / "runs" / "later", speed=False)["disk space"].found
    assert list(tmp_path.iterdir()) == []


def test_quick_writes_nothing(tmp_path: Path) -> None:
    assert "disk speed" not in rows(tmp_path, speed=False)
