"""Finished tensors of a comparison that isn't finished, so that the same call goes on after a kill or an error.

A line a tensor, and a first line that says what was asked. A tensor counts while the stored bytes of every source are
the same file, of the same size and time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep.files import fingerprint, write_jsonl
from prism.analyze.weights.answers import Answer, Asked, Described, Finished
from prism.analyze.weights.change import Change
from prism.analyze.weights.components import cuts_of
from prism.analyze.weights.relation import Relation

_SCHEMA_VERSION = 1


class Journal:
    """Keeps tensors in a file beside `output`."""

    def __init__(self, output: Path, asked: Asked) -> None:
        self.path = _beside(output)
        self._head = {"schema_version": _SCHEMA_VERSION, "asked": fingerprint(asdict(asked))}
        lines = _read(self.path)
        good = bool(lines) and lines[0] == self._head
        self._kept = {line["name"]: line for line in lines[1:]} if good else {}
        write_jsonl(self.path, [self._head, *self._kept.values()])
        self._file = self.path.open("a", encoding="utf-8")

    def get(self, name: str, key: Sequence[str]) -> Finished | None:
        """What was kept of a tensor, None where it was of other bytes."""
        line = self._kept.get(name)
        return _parsed(line) if line is not None and line["key"] == list(key) else None

    def put(self, name: str, key: Sequence[str], done: Finished) -> None:
        answers = [{key: value for key, value in asdict(answer).items() if key != "cut"} for answer in done.answers]
        described = [asdict(one) for one in done.described]
        self._write({"name": name, "key": list(key), "answers": answers, "described": described})

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def drop(output: Path) -> None:
        """Removes what was kept beside an output that is written."""
        _beside(output).unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _beside(output: Path) -> Path:
    return output.with_name(f".{output.name}.partial.jsonl")


def _read(path: Path) -> list[dict[str, Any]]:
    """Whole lines; the last one of a killed process may be cut."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


def _parsed(line: dict[str, Any]) -> Finished:
    described = [Described(one["dtype"], tuple(one["shape"]), one["xxh3"]) for one in line["described"]]
    cuts = cuts_of(line["name"], described[0].shape)
    answers = [
        Answer(
            cut,
            tuple(_change(one) for one in answer["changes"]),
            tuple(None if one is None else _change(one) for one in answer["in_bf16"]),
            tuple(_relation(one) for one in answer["relations"]),
        )
        for cut, answer in zip(cuts, line["answers"], strict=True)
    ]
    return Finished(answers, described)


def _change(value: dict[str, Any]) -> Change:
    return Change(**{**value, "unchanged": tuple(value["unchanged"])})


def _relation(value: dict[str, Any]) -> Relation:
    return Relation(**{**value, **{key: tuple(value[key]) for key in ("first", "second", "both")}})
