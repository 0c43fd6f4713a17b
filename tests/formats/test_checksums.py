"""A checksum finds what a disk or a copy did to a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xxhash

from prism.formats.checksums import FileSum, damage, sum_bytes, sum_file, write_summed


@pytest.mark.parametrize("size", [0, 1, (1 << 24) - 1, (1 << 24) + 5])
def test_what_is_summed_while_it_is_written_is_what_lies_there(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    written = write_summed(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == content
    assert written == sum_file(tmp_path / "file") == sum_bytes(content)
    assert written.xxh3 == xxhash.xxh3_128_hexdigest(content)
    assert damage(tmp_path / "file", written) is None


def test_damage_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "file"
    written = write_summed(file, b"abc")
    file.write_bytes(b"abd")
    assert damage(file, written) == "file has another checksum"
    file.write_bytes(b"ab")
    assert damage(file, written) == "file has 2 bytes, not 3"
    file.unlink()
    assert damage(file, FileSum(3, "")) == "file is missing"
