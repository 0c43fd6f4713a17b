"""A data folder to look into: three sources, one without end tokens, locked as they are and packed."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from data_prep import api
from data_prep.look import Finding, verify_directory
from data_prep.schema import DataConfig, Packing


@dataclass(frozen=True)
class Prepared:
    config: DataConfig
    directory: Path

    def verify(self) -> list[Finding]:
        return list(
            verify_directory(self.config, self.directory, api.load_tokenizer(self.directory / "tokenizer.json"))
        )

    def wrong(self) -> dict[tuple[str, str], str]:
        """Errors by kind and name."""
        return {(found.kind, found.name): found.error for found in self.verify() if found.error is not None}


@pytest.fixture(scope="session")
def prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("look")
    stream = random.Random(1)
    words = [f"word{number}" for number in range(60)]
    for name in ("red", "blue", "open"):
        texts = (" ".join(stream.choices(words, k=stream.randrange(3, 40))) for _ in range(60))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": "byte_level_bpe", "vocab_size": 300},
            "sources": {
                "red": {"path": str(folder / "red.jsonl")},
                "blue": {"path": str(folder / "blue.jsonl")},
                "open": {"path": str(folder / "open.jsonl"), "end_of_document": False},
            },
            "blends": {"two": {"red": 30, "blue": 70}, "all": {"red": 30, "blue": 30, "open": 40}},
        }
    )
    api.prepare(config, folder / "data", log=lambda line: None)
    api.lock(config, folder / "data", "two", 5_000, seed=1, samples=100)
    api.lock(config, folder / "data", "all", 5_000, seed=1, packing=Packing(capacity=128))
    return Prepared(config, folder / "data")


@pytest.fixture
def prepared(prepared_once: Prepared, tmp_path: Path) -> Prepared:
    """A copy of one's own to damage."""
    shutil.copytree(prepared_once.directory, tmp_path / "data")
    return Prepared(prepared_once.config, tmp_path / "data")
