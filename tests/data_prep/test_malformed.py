"""Malformed input ends in an error that names file and row, or in a drop that is counted; never in a loss unsaid."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError

from data_prep import api
from data_prep.card import SourceCard, read_card
from data_prep.errors import UserError
from data_prep.index import IndexWriter, bin_path, idx_path
from data_prep.index.validate import validate_index
from data_prep.schema import DataConfig

GOOD = [{"text": f"good row {number}", "score": number, "question": "q", "answer": "a"} for number in range(3)]
CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}

Writer = Callable[[Path], None]


def lines(*rows: bytes | dict[str, Any], name: str = "a.jsonl", pack: Callable[[bytes], bytes] = bytes) -> Writer:
    content = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)
    return lambda folder: (folder / name).write_bytes(pack(content)) and None


def cut(name: str, content: bytes, keep: float) -> Writer:
    return lambda folder: (folder / name).write_bytes(content[: int(len(content) * keep)]) and None


def packed_lines(count: int = 5_000) -> bytes:
    stream = np.random.default_rng(1)
    return b"".join(json.dumps({"text": str(stream.integers(0, 1 << 62))}).encode() + b"\n" for _ in range(count))


def parquet_bytes(folder_rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(folder_rows), sink)
    return bytes(sink.getvalue())


def arrow_bytes(rows: list[dict[str, Any]]) -> bytes:
    sink, table = pa.BufferOutputStream(), pa.Table.from_pylist(rows)
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def parquet_of_bad_text(folder: Path) -> None:
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(struct.pack("<ii", 0, 4)), pa.py_buffer(b"ab\xff\xfe"))
    pq.write_table(pa.table({"text": bad}), folder / "a.parquet")


def flipped_parquet(folder: Path) -> None:
    """Bytes of the pages changed, the footer whole."""
    content = bytearray(parquet_bytes([{"text": f"row {number}" * 9} for number in range(2_000)]))
    for place in range(40, 400):
        content[place] ^= 0xA5
    (folder / "a.parquet").write_bytes(bytes(content))


ROWS: dict[str, tuple[Writer, dict[str, Any], str, str]] = {
    # name: (writes the file, source settings, what the error says, where it says it is)
    "bad_json": (lines(GOOD[0], b"{broken"), {}, "not valid JSON", "a.jsonl:2"),
    "half_a_line_at_the_end": (lines(GOOD[0], b'{"text": "ha'), {}, "not valid JSON", "a.jsonl:2"),
    "bad_utf8_in_json": (lines(GOOD[0], b'{"text": "\xff\xfe"}'), {}, "not valid JSON", "a.jsonl:2"),
    "lone_surrogate": (lines(GOOD[0], b'{"text": "\\ud800"}'), {}, "not valid JSON", "a.jsonl:2"),
    "not_an_object": (lines(GOOD[0], b"[1, 2]"), {}, "expected an object", "a.jsonl:2"),
    "a_number_a_line": (lines(b"17"), {}, "expected an object", "a.jsonl:1"),
    "nan_in_json": (lines(b'{"text": NaN}'), {}, "not valid JSON", "a.jsonl:1"),
    "missing_column": (lines(GOOD[0], {"txt": "x"}), {}, "text", "a.jsonl:2"),
    "null_column": (lines(GOOD[0], {"text": None}), {}, "text", "a.jsonl:2"),
    "number_for_text": (lines(GOOD[0], {"text": 5}), {}, "text", "a.jsonl:2"),
    "list_for_text": (lines(GOOD[0], {"text": ["x"]}), {}, "text", "a.jsonl:2"),
    "empty_question": (
        lines(GOOD[0], {"question": " ", "answer": "a"}), {"format": "question_answer"}, "question", "a.jsonl:2",
    ),
    "empty_answer": (
        lines(GOOD[0], {"question": "q", "answer": ""}), {"format": "question_answer"}, "answer", "a.jsonl:2",
    ),
    "no_mark_in_the_answer": (
        lines({"question": "q", "answer": "a"}),
        {"format": "question_answer", "reasoning_until": "####"},
        "####",
        "a.jsonl:1",
    ),
    "chat_that_is_no_list": (lines({"messages": "hi"}), {"format": "chat"}, "messages", "a.jsonl:1"),
    "chat_without_turns": (lines(CHAT, {"messages": []}), {"format": "chat"}, "turns", "a.jsonl:2"),
    "turn_without_content": (
        lines({"messages": [{"role": "user"}]}), {"format": "chat"}, "role and content", "a.jsonl:1",
    ),
    "unknown_speaker": (
        lines({"messages": [{"role": "wizard", "content": "x"}]}), {"format": "chat"}, "wizard", "a.jsonl:1",
    ),
    "text_where_a_rule_wants_a_number": (
        lines(GOOD[0], {"text": "x", "score": "many"}), {"keep": [{"column": "score", "at_least": 0}]}, "score",
        "a.jsonl:2",
    ),
    "rule_on_a_missing_column": (
        lines({"text": "x"}), {"keep": [{"column": "score", "at_least": 0}]}, "score", "a.jsonl:1",
    ),
    "path_into_a_list_that_is_too_short": (
        lines({"messages": []}), {"text": "messages.0.content"}, "messages.0.content", "a.jsonl:1",
    ),
    "a_line_of_100_mb": (
        lines(GOOD[0], b'{"text": "' + b"x" * (100 << 20) + b'"}', GOOD[1]), {}, "100 MiB", "a.jsonl:2",
    ),
    "text_file_that_is_not_utf8": (
        lambda folder: (folder / "a.txt").write_bytes(b"fine\nalso fine\n\xe9t\xe9\n") and None, {}, "not UTF-8",
        "a.txt:3",
    ),
    "utf16_text_file": (
        lambda folder: (folder / "a.txt").write_bytes("héllo".encode("utf-16")) and None, {}, "not UTF-8", "a.txt:1",
    ),
}  # fmt: skip
"""Bad rows: an error by default, a counted drop where the source says so."""

FILES: dict[str, tuple[Writer, dict[str, Any], str, str]] = {
    "truncated_gzip": (cut("a.jsonl.gz", gzip.compress(packed_lines()), 0.6), {}, "cut short", "a.jsonl.gz:"),
    "gzip_that_is_none": (lines(GOOD[0], name="a.jsonl.gz"), {}, "damaged", "a.jsonl.gz:1"),
    "truncated_zstandard": (
        cut("a.jsonl.zst", zstandard.compress(packed_lines()), 0.6),
        {},
        "cut short",
        "a.jsonl.zst:",
    ),
    "zstandard_that_is_none": (lines(GOOD[0], name="a.jsonl.zst"), {}, "damaged", "a.jsonl.zst:1"),
    "truncated_parquet": (cut("a.parquet", parquet_bytes(GOOD), 0.7), {}, "not a Parquet file", "a.parquet"),
    "parquet_that_is_none": (lines(GOOD[0], name="a.parquet"), {}, "not a Parquet file", "a.parquet"),
    "empty_parquet_file": (cut("a.parquet", b"", 1), {}, "not a Parquet file", "a.parquet"),
    "parquet_with_changed_bytes": (flipped_parquet, {}, "damaged", "a.parquet:"),
    "parquet_with_bad_text": (parquet_of_bad_text, {}, "UTF-8", "a.parquet:1"),
    "parquet_without_the_column": (cut("a.parquet", parquet_bytes([{"body": "x"}]), 1), {}, "text", "a.parquet:1"),
    "truncated_arrow": (cut("a.arrow", arrow_bytes(GOOD * 400), 0.5), {}, "cut short", "a.arrow:"),
    "arrow_that_is_none": (lines(GOOD[0], name="a.arrow"), {}, "Arrow", "a.arrow:1"),
    "json_array_cut_short": (cut("a.json", json.dumps(GOOD).encode(), 0.5), {}, "not valid JSON", "a.json"),
    "empty_folder": (lambda folder: None, {}, "no file to read", ""),
    "only_empty_files": (cut("a.jsonl", b"", 1), {}, "no document", "a"),
    "only_blank_lines": (cut("a.jsonl", b"\n\n  \n", 1), {}, "no document", "a"),
    "nothing_is_kept": (lines(GOOD[0]), {"keep": [{"column": "score", "at_least": 99}]}, "no document", "a"),
    "unknown_ending": (lines(GOOD[0], name="a.xyz"), {}, "which reader", "a.xyz"),
    "wrong_reader": (lines(GOOD[0]), {"reader": "parquet"}, "not a Parquet file", "a.jsonl"),
}
"""Damaged files: always an error."""


def prepare(folder: Path, settings: dict[str, Any]) -> SourceCard:
    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": "byte_level_bpe", "vocab_size": 300, "train_on": ["clean"]},
            "sources": {
                "clean": {"path": str(folder / "clean.txt")},
                "source": {"path": str(folder / "raw"), **settings},
            },
        }
    )
    (folder / "clean.txt").write_text("clean text")
    api.prepare(config, folder / "data", sources=["source"], log=lambda line: None)
    return read_card(folder / "data" / "sources" / "source")


@pytest.mark.parametrize("name", [*ROWS, *FILES])
def test_the_error_names_file_and_row(tmp_path: Path, name: str) -> None:
    write, settings, says, place = {**ROWS, **FILES}[name]
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw")
    with pytest.raises(UserError, match=says) as caught:
        prepare(tmp_path, settings)
    assert caught.value.exit_code in (2, 4)
    assert caught.value.remedy
    assert place in str(caught.value.place)
    assert not list((tmp_path / "data" / "sources").glob("source.*"))


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_can_be_dropped_and_is_counted(tmp_path: Path, name: str) -> None:
    write, settings, _, _ = ROWS[name]
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw")
    good = {"text": "good", "score": 1, **CHAT, "question": "q", "answer": "a #### 1"}
    (tmp_path / "raw" / "b.jsonl").write_text(json.dumps(good) + "\n")
    card = prepare(tmp_path, {**settings, "bad_rows": "drop"})
    counts = [step.counts for step in card.steps]
    read = sum(count.get("rows", 0) for count in counts)
    unread = sum(n for count in counts[:1] for label, n in count.items() if label.startswith("dropped: bad row"))
    dropped = sum(count.get("dropped", 0) for count in counts)
    assert sum(n for count in counts for label, n in count.items() if label.startswith("dropped: bad row")) == 1
    assert read + unread == card.documents + dropped


CONFIGS: dict[str, dict[str, Any]] = {
    "unknown_card": {"sources": {"a": {"card": "dclm"}}},
    "rule_without_condition": {"sources": {"a": {"path": "x", "keep": [{"column": "score"}]}}},
    "unknown_key": {"sources": {"a": {"path": "x", "colour": "red"}}},
    "negative_epochs": {"max_epochs": -1},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_settings_that_cannot_work_are_refused(name: str) -> None:
    with pytest.raises((ValidationError, UserError)):
        DataConfig.model_validate(CONFIGS[name])


def index_with(folder: Path, change: Callable[[Path], None]) -> Path:
    prefix = folder / "source"
    with IndexWriter(prefix, 1_000) as writer:
        for length in (3, 4, 5):
            writer.add(list(range(length)))
    change(prefix)
    return prefix


def patch(offset: int, content: bytes) -> Callable[[Path], None]:
    def change(prefix: Path) -> None:
        raw = bytearray(idx_path(prefix).read_bytes())
        raw[offset : offset + len(content)] = content
        idx_path(prefix).write_bytes(bytes(raw))

    return change


LENGTHS, OFFSETS, BOUNDARIES = 34, 34 + 3 * 4, 34 + 3 * 12
INDEXES: dict[str, Callable[[Path], None]] = {
    "wrong_magic": patch(0, b"NOTANIDX"),
    "another_version": patch(9, struct.pack("<Q", 7)),
    "unknown_token_type": patch(17, b"\x63"),
    "too_many_sequences": patch(18, struct.pack("<Q", 4)),
    "too_many_boundaries": patch(26, struct.pack("<Q", 9)),
    "a_length_below_0": patch(LENGTHS, struct.pack("<i", -3)),
    "a_wrong_length": patch(LENGTHS, struct.pack("<i", 2)),
    "an_offset_beyond_the_file": patch(OFFSETS + 8, struct.pack("<q", 1 << 40)),
    "the_last_offset_beyond_the_file": patch(OFFSETS + 16, struct.pack("<q", 1 << 40)),
    "a_boundary_that_falls": patch(BOUNDARIES + 8, struct.pack("<q", 3)),
    "a_boundary_beyond_the_sequences": patch(BOUNDARIES + 24, struct.pack("<q", 99)),
    "a_shorter_bin": lambda prefix: bin_path(prefix).write_bytes(bin_path(prefix).read_bytes()[:-2]) and None,
    "a_longer_bin": lambda prefix: bin_path(prefix).write_bytes(bin_path(prefix).read_bytes() + b"\0\0") and None,
    "an_empty_idx": lambda prefix: idx_path(prefix).write_bytes(b"") and None,
    "no_bin": lambda prefix: bin_path(prefix).unlink(),
    "a_token_beyond_the_vocabulary": lambda prefix: (
        bin_path(prefix).write_bytes(struct.pack("<12H", *[5] * 11, 1_000)) and None
    ),
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_malformed_index_is_refused_by_name(tmp_path: Path, name: str) -> None:
    prefix = index_with(tmp_path, INDEXES[name])
    with pytest.raises(UserError, match=r"source") as caught:
        validate_index(prefix, vocab_size=1_000)
    assert caught.value.exit_code == 4
    assert caught.value.remedy


def test_a_whole_index_passes(tmp_path: Path) -> None:
    report = validate_index(index_with(tmp_path, lambda prefix: None), vocab_size=1_000)
    assert (report.documents, report.sequences, report.tokens) == (3, 3, 12)
