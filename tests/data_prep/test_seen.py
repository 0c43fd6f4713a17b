"""Files that were hashed before: which are trusted, which aren't."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.blend.lock import SourceFiles, verify_lock, write_lock
from data_prep.blend.plan import plan_blend
from data_prep.content_hash import Piece, hash_file
from data_prep.errors import DataError
from data_prep.index import IndexWriter, bin_path
from data_prep.seen import Seen


def rest() -> None:
    """Longer than the clock of a file system needs to go on."""
    time.sleep(0.03)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    rest()
    return path


def noted(file: Path) -> list[Piece]:
    """Hashes the file and notes that; returns the hash."""
    pieces = hash_file(file)
    seen = Seen(file.with_name("seen.json"))
    assert not seen.unchanged(file, pieces)
    seen.note(file, pieces)
    seen.save()
    return pieces


def is_trusted(file: Path, pieces: list[Piece]) -> bool:
    return Seen(file.with_name("seen.json")).unchanged(file, pieces)


def test_a_file_is_trusted_with_the_hash_that_it_was_found_to_have(file: Path) -> None:
    pieces = noted(file)
    assert is_trusted(file, pieces)
    assert not is_trusted(file, [Piece(7, "0" * 64)])


def rewrite(file: Path) -> None:
    """Other content in the same inode, with size and time of writing put back."""
    times = file.stat()
    with file.open("r+b") as handle:
        handle.write(b"CONTENT")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (times.st_ino, times.st_mtime_ns)


def copy(file: Path) -> None:
    shutil.copy2(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


@pytest.mark.parametrize("change", [rewrite, copy, os.utime, os.unlink])
def test_a_file_that_was_written_to_copied_touched_or_removed_is_not(
    file: Path, change: Callable[[Path], None]
) -> None:
    pieces = noted(file)
    change(file)
    assert not is_trusted(file, pieces)


def test_a_file_that_changes_while_it_is_hashed_is_not_noted(file: Path) -> None:
    seen = Seen(file.with_name("seen.json"))
    pieces = hash_file(file)
    seen.unchanged(file, pieces)
    rewrite(file)
    rest()
    seen.note(file, pieces)
    assert not seen.unchanged(file, pieces)


def test_a_file_written_a_moment_ago_is_not_noted(tmp_path: Path) -> None:
    # a clock ahead of ours by an hour makes "a moment ago" last
    file = tmp_path / "file"
    file.write_bytes(b"content")
    later = time.time_ns() + 3_600 * 10**9
    os.utime(file, ns=(later, later))
    pieces = noted(file)
    assert not is_trusted(file, pieces)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b'{"file": 3}'])
def test_a_damaged_cache_is_an_empty_one(file: Path, content: bytes) -> None:
    file.with_name("seen.json").write_bytes(content)
    assert not is_trusted(file, hash_file(file))
    assert is_trusted(file, noted(file))


def lock_of(folder: Path) -> tuple[Path, Path]:
    """A lock over one source, and the source's .bin."""
    prefix = folder / "source"
    with IndexWriter(prefix, 100) as writer:
        writer.add([1, 2, 3])
    assert writer.written is not None
    rest()
    plan = plan_blend("all", {"source": 100}, {"source": 3}, {"source": "any"}, 100)
    files = SourceFiles(prefix, 3, 1, "tokenizer", [writer.written.bin], [writer.written.idx])
    write_lock(folder / "all.lock.json", plan, {"source": files}, seed=1)
    return folder / "all.lock.json", bin_path(prefix)


def test_a_lock_trusts_what_it_has_seen_and_every_byte_is_read_when_asked_for(tmp_path: Path) -> None:
    lock, file = lock_of(tmp_path)
    file.write_bytes(b"\0" * 6)
    # a disk that loses bytes leaves the times as they are; here the note is changed to the file's new times
    notes = json.loads((tmp_path / ".seen.json").read_text())
    info = file.stat()
    size, _, _, _, known = notes[str(file.resolve())]
    notes[str(file.resolve())] = [size, info.st_ino, info.st_mtime_ns, info.st_ctime_ns, known]
    (tmp_path / ".seen.json").write_text(json.dumps(notes))
    verify_lock(lock)
    with pytest.raises(DataError, match=r"source\.bin: the file changed between bytes 0 and 6"):
        verify_lock(lock, every_byte=True)
    (tmp_path / ".seen.json").unlink()
    with pytest.raises(DataError, match=r"source\.bin: the file changed"):
        verify_lock(lock)


def test_a_changed_file_is_neither_locked_nor_noted(tmp_path: Path) -> None:
    lock, file = lock_of(tmp_path)
    locked = json.loads(lock.read_text())["sources"][0]
    pieces = {key: [Piece(**piece) for piece in locked[key]] for key in ("bin", "idx")}
    lock.unlink()
    file.write_bytes(b"\0" * 6)
    plan = plan_blend("all", {"source": 100}, {"source": 3}, {"source": "any"}, 100)
    with pytest.raises(DataError, match=r"source\.bin: the file changed"):
        write_lock(
            lock, plan, {"source": SourceFiles(tmp_path / "source", 3, 1, "t", pieces["bin"], pieces["idx"])}, seed=1
        )
    assert not lock.exists()


@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"', b"{}", b"{", b"", b'{"blend": "\xff"}'])
def test_what_is_no_lock_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "all.lock.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"all\.lock\.json: .*Remedy"):
        verify_lock(path)
