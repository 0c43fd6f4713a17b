"""Raw files of every kind to rows, each with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import zstandard

from data_prep.errors import DataError
from data_prep.read import plan_units, read_rows, read_unit
from data_prep.schema import SourceConfig

ROWS = [{"text": f"row {number}", "number": number} for number in range(1, 8)]


def texts(path: Path, **settings: Any) -> list[str]:
    config = SourceConfig(path=str(path), **settings)
    return [row["text"] for _, row in read_rows(config, Path("unused"))]


def json_lines(rows: list[dict[str, Any]] = ROWS) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write_all_kinds(folder: Path) -> list[Path]:
    table = pa.Table.from_pylist(ROWS)
    (folder / "a.jsonl").write_bytes(json_lines())
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(json_lines()))
    whole = zstandard.compress(json_lines(ROWS[:3])) + zstandard.compress(json_lines(ROWS[3:]))
    (folder / "a.jsonl.zst").write_bytes(whole)
    (folder / "a.json").write_text(json.dumps(ROWS))
    pq.write_table(table, folder / "a.parquet", row_group_size=2)
    with ipc.new_file(folder / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    with (folder / "stream.arrow").open("wb") as handle, ipc.new_stream(handle, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return sorted(folder.iterdir())


def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path) -> None:
    for path in write_all_kinds(tmp_path):
        assert texts(path) == [row["text"] for row in ROWS], path.name


def test_a_row_knows_its_file_and_its_number(tmp_path: Path) -> None:
    for path in write_all_kinds(tmp_path):
        found = list(read_rows(SourceConfig(path=str(path)), Path()))
        assert [place for place, _ in found] == [f"{path}:{number}" for number in range(1, 8)], path.name
        assert {row["@path"] for _, row in found} == {path.name}


def test_units_cut_json_lines_without_losing_or_repeating_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(json.dumps({"text": "x" * (n * 7 % 50), "n": n}).encode() + b"\n" for n in range(200)))
    config = SourceConfig(path=str(path))
    for size in (1, 2, 13, 61, 62, 63, 500, 100_000):
        monkeypatch.setattr("data_prep.read.units.LEAST_BYTES", size)
        monkeypatch.setattr("data_prep.read.units.MOST_UNITS", 1_000_000)
        units = plan_units("source", config, tmp_path)
        found = [row.values["n"] for unit in units for row in read_unit(unit, {"source": config})]
        assert found == list(range(200)), size
        assert len(units) > 1 or size > 10_000


def test_units_cut_parquet_at_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["some text"] * 100, "n": list(range(100))}), path, row_group_size=10)
    monkeypatch.setattr("data_prep.read.units.LEAST_BYTES", 400)
    config = SourceConfig(path=str(path), keep=({"column": "n", "at_least": 0},))
    units = plan_units("source", config, tmp_path)
    rows = [row for unit in units for row in read_unit(unit, {"source": config})]
    assert len(units) > 2
    assert [row.values["n"] for row in rows] == list(range(100))
    assert rows[57].place == f"{path}:58"


def test_a_bad_line_in_a_later_unit_is_named_with_its_line_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines(ROWS * 20) + b"{broken\n" + json_lines())
    monkeypatch.setattr("data_prep.read.units.LEAST_BYTES", 1_000)
    with pytest.raises(DataError, match="not valid JSON") as caught:
        texts(path)
    assert caught.value.place == f"{path}:141"


def test_a_folder_is_read_by_pattern_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "c.txt", "test/d.py", "package/e.py", ".hidden/f.py", ".g.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert texts(tmp_path, pattern="*.py", exclude=["test"]) == ["a.py", "b.py", "package/e.py"]
    assert texts(tmp_path, pattern="package/*.py") == ["package/e.py"]
    assert texts(Path(f"{tmp_path}/*.py")) == ["a.py", "b.py"]


def test_text_is_a_document_a_file_a_paragraph_or_a_passage(tmp_path: Path) -> None:
    text = "\n\n".join(f"paragraph {number} " + "x" * 900 for number in range(5))
    (tmp_path / "a.txt").write_text(text)
    assert texts(tmp_path / "a.txt") == [text]
    assert len(texts(tmp_path / "a.txt", split="paragraph")) == 5
    passages = texts(tmp_path / "a.txt", split="passage")
    assert len(passages) == 2
    assert "\n\n".join(passages) == text


def test_only_the_columns_that_a_source_names_are_read_from_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "unused": ["b"], "meta.score": [1.0]}), tmp_path / "a.parquet")
    config = SourceConfig(path=str(tmp_path), keep=({"column": "meta.score", "at_least": 0},))
    [(_, row)] = read_rows(config, tmp_path)
    assert set(row) == {"text", "meta.score", "@path", "@part"}


def test_a_source_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file to read"):
        texts(tmp_path / "nowhere*.jsonl")


def test_a_name_that_says_nothing_asks_for_a_reader(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_text("{}")
    with pytest.raises(DataError, match="which reader"):
        texts(tmp_path)
