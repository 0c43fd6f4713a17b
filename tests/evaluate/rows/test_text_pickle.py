"""Text comes out of a pickle of plain text in every protocol; every other pickle is refused, and nothing is run."""

from __future__ import annotations

import contextlib
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.errors import BadInput
from prism.evaluate.rows.text_pickle import read_text_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@given(st.text(), st.sampled_from(PROTOCOLS))
def test_text_comes_back_from_every_protocol(text: str, protocol: int) -> None:
    assert read_text_pickle(pickle.dumps(text, protocol)) == text
    assert read_text_pickle(pickletools.optimize(pickle.dumps(text, protocol))) == text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_long_text_comes_back(protocol: int) -> None:
    text = '[{"input": "ä\\n"}]' * 100_000
    assert read_text_pickle(pickle.dumps(text, protocol)) == text


class Runs:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_calls_is_refused_by_its_opcode_and_calls_nothing(protocol: int, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds (the opcode (GLOBAL|STACK_GLOBAL|MARK)|more than one text).*Remedy"):
        read_text_pickle(pickle.dumps(Runs(tmp_path / "made"), protocol))
    assert not (tmp_path / "made").exists()


OTHERS = {
    "a list": (pickle.dumps(["text"]), "opcode EMPTY_LIST"),
    "bytes": (pickle.dumps(b"text"), "opcode SHORT_BINBYTES"),
    "a number": (pickle.dumps(7), "opcode BININT1"),
    "nothing": (pickle.dumps(None), "opcode NONE"),
    "two texts": (pickle.dumps("a")[:-1] + pickle.dumps("b"), "more than one text"),
    "one text and more": (pickle.dumps("a") + b"x", "goes on after its end"),
    "one text and another pickle": (pickle.dumps("a") + pickle.dumps(Runs), "goes on after its end"),
    "no text": (b"\x80\x04.", "holds no text"),
    "cut short": (pickle.dumps("a long text")[:-4], "damaged"),
    "empty": (b"", "damaged"),
    "not a pickle": (b"[1, 2]", "damaged|opcode"),
    "an import": (b"cos\nsystem\n(S'true'\ntR.", "opcode GLOBAL"),
    "a string of Python 2": (b"S'text'\n.", "opcode STRING"),
    "text that is taken off": (b"\x8c\x01a0.", "opcode POP"),
    "a persistent id": (b"Pname\n.", "opcode PERSID"),
    "an extension": (b"\x82\x01.", "opcode EXT1"),
    "a length that lies": (b"\x8d" + (1 << 60).to_bytes(8, "little") + b"a.", "damaged"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_one_plain_text_is_refused(kind: str) -> None:
    content, why = OTHERS[kind]
    with pytest.raises(BadInput, match=why):
        read_text_pickle(content)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with contextlib.suppress(BadInput):
        assert isinstance(read_text_pickle(content), str)
