"""Raw files of every kind to documents."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from data_prep.errors import DataError
from data_prep.readers import SourceReader, source_files
from data_prep.schema import SourceConfig

ROWS = [{"question": "1 + 1 ?", "answer": "2"}, {"question": "2 + 2 ?", "answer": "4"}]
TEXTS = ["1 + 1 ?\n2", "2 + 2 ?\n4"]


def read(path: Path, **settings: Any) -> list[str]:
    config = SourceConfig(path=str(path), **settings)
    reader = SourceReader(config, source_files(config, Path("unused")))
    return [document.text for document in reader.run()]


def json_lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def test_json_lines_plain_and_compressed_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_lines())
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json_lines()))
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(json_lines()))
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        assert read(tmp_path / name, format="question_answer") == TEXTS


def test_parquet_is_read_row_by_row(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", reader="parquet", format="question_answer") == TEXTS


def test_text_is_a_document_a_file_a_paragraph_or_a_passage(tmp_path: Path) -> None:
    text = "\n\n".join(f"paragraph {number} " + "x" * 900 for number in range(5))
    (tmp_path / "a.txt").write_text(text)
    assert read(tmp_path / "a.txt", reader="text") == [text]
    assert len(read(tmp_path / "a.txt", reader="text", split="paragraph")) == 5
    passages = read(tmp_path / "a.txt", reader="text", split="passage")
    assert len(passages) == 2
    assert "\n\n".join(passages) == text


def test_a_folder_is_read_by_pattern_without_what_is_excluded(tmp_path: Path) -> None:
    for name in ("a.py", "b.txt", "test/c.py", "package/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read(tmp_path, reader="text", pattern="*.py", exclude=["test"]) == ["a.py", "package/d.py"]


def test_reasoning_goes_between_think_tags(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "so it is\n#### 7"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    config = {"format": "question_answer", "reasoning_until": "####"}
    assert read(tmp_path / "a.jsonl", **config) == ["q\n<think> so it is </think> 7"]


def test_chat_names_its_speakers(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hi"}, {"from": "gpt", "value": "hello"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": turns}))
    assert read(tmp_path / "a.jsonl", format="chat") == ["User: hi\nAssistant: hello"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{broken", "not valid JSON"),
        ('{"question": "q"}', "column 'answer'"),
        ('{"question": " ", "answer": "a"}', "empty question"),
        ("[1]", "expected an object"),
    ],
)
def test_a_bad_row_is_named_with_file_and_line(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    with pytest.raises(DataError, match=says) as caught:
        read(tmp_path / "a.jsonl", format="question_answer")
    assert caught.value.place is not None and caught.value.place.endswith("a.jsonl:2")


def test_a_source_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file to read"):
        read(tmp_path / "nowhere*.jsonl")
