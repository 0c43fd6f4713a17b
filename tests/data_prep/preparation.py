"""Sources made up for tests, and their preparation in a process of its own that can be killed.

python tests/data_prep/preparation.py CONFIG.json DIRECTORY WORKERS
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from data_prep import api
from data_prep.content_hash import combined, hash_file
from data_prep.read import units
from data_prep.schema import DataConfig

WORDS = [f"{first}{second}" for first in "bcdfglmprst" for second in ("a", "el", "in", "or", "um", "ith", "an", "ost")]


def made_up(folder: Path, megabytes: float) -> dict[str, Any]:
    """Writes JSON lines with duplicates and evaluation questions among them; returns a config that reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = random.Random(1)
    questions = [" ".join(stream.choices(WORDS, k=20)) for _ in range(20)]
    with (folder / "questions.jsonl").open("w") as handle:
        handle.writelines(json.dumps({"question": question}) + "\n" for question in questions)
    written, texts = 0, list[str]()
    with (folder / "web.jsonl").open("w") as handle:
        while written < megabytes * 2**20:
            kind = stream.random()
            text = " ".join(stream.choices(WORDS, k=stream.randrange(5, 400)))
            if kind < 0.05 and texts:
                text = stream.choice(texts)
            elif kind < 0.07:
                text = f"{text} {stream.choice(questions)} {text}"
            texts.append(text)
            row = json.dumps({"text": text, "score": stream.random(), "id": len(texts)}) + "\n"
            written += handle.write(row)
    return {
        "tokenizer": {"kind": "byte_level_bpe", "vocab_size": 400, "train_on": ["small"]},
        "sources": {
            "small": {"path": str(folder / "questions.jsonl"), "text": "question", "decontaminate": False},
            "web": {
                "path": str(folder / "web.jsonl"),
                "keep": [{"column": "score", "at_least": 0.1}],
                "sample": {"by": "@path", "counts": {"*": 4_000}, "key": "id"},
                "dedup": "exact",
                "holdout": 0.05,
            },
        },
        "decontamination": {"sets": {"planted": {"path": str(folder / "questions.jsonl")}}},
        "blends": {"all": {"small": 10, "web": 90}},
    }


def results(directory: Path) -> dict[str, str]:
    """Hash of every file that a preparation leaves; hidden ones are caches."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(directory).as_posix(): combined(hash_file(path)) for path in files}


def main() -> None:
    config, directory, workers = sys.argv[1:]
    units.LEAST_BYTES = 1 << 19  # several units to the few megabytes of a test
    settings = DataConfig.model_validate_json(Path(config).read_text())
    api.prepare(settings, Path(directory), executor=api.Executor(workers=int(workers)), log=lambda line: None)
    api.lock(settings, Path(directory), "all", tokens=10_000, seed=1)


if __name__ == "__main__":
    main()
