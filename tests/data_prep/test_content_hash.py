"""Hashes in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.content_hash import Piece, check_file, combined, hash_file
from data_prep.errors import DataError


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 20))
def test_pieces_are_the_hashes_of_consecutive_parts(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, piece_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("hash") / "file"
    path.write_bytes(content)
    parts = [content[start : start + piece_bytes] for start in range(0, len(content), piece_bytes)]
    pieces = hash_file(path, piece_bytes)
    assert pieces == [Piece(len(part), hashlib.sha256(part).hexdigest()) for part in parts]
    check_file(path, pieces, remedy="none")


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.integers(1, 20), st.data())
def test_a_flipped_bit_is_found_in_its_piece(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, piece_bytes: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("hash") / "file"
    path.write_bytes(content)
    pieces = hash_file(path, piece_bytes)
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(changed)
    start = place - place % piece_bytes
    end = min(len(content), start + piece_bytes)
    with pytest.raises(
        DataError, match=rf"file: the file changed between bytes {start} and {end} .*Remedy: put it back"
    ):
        check_file(path, pieces, remedy="put it back")


def test_another_size_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    pieces = hash_file(path)
    path.write_bytes(b"content, longer")
    with pytest.raises(DataError, match="file: the file changed: 15 bytes, 7 expected"):
        check_file(path, pieces, remedy="none")
    path.unlink()
    with pytest.raises(DataError, match="file: the file is missing"):
        check_file(path, pieces, remedy="none")


def test_empty_pieces_do_not_count_but_where_pieces_end_does() -> None:
    one, two, empty = Piece(1, "a"), Piece(2, "b"), Piece(0, "e")
    assert combined([empty, one, empty, two]) == combined([one, two])
    assert len({combined(pieces) for pieces in ([one, two], [two, one], [one], [])}) == 4
