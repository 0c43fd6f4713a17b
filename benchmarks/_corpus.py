"""Real text for the data benchmarks: Python's standard library and GSM8K, repeated to a size."""

from __future__ import annotations

import json
import os
import sysconfig
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import train_tokenizer

END = "<eos>"
FILES = 8


def documents() -> list[str]:
    """Every module of the running Python's standard library, and GSM8K's train split where it is."""
    root = Path(sysconfig.get_paths()["stdlib"])
    texts = []
    for path in sorted(root.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if text.strip():
            texts.append(text)
    gsm8k = Path(os.environ.get("PRISM_DATA", "../shared/data")) / "gsm8k" / "train.jsonl"
    if gsm8k.is_file():
        rows = map(json.loads, gsm8k.open())
        texts += [f"{row['question']}\n{row['answer']}" for row in rows]
    return texts


def write_corpus(folder: Path, megabytes: int) -> list[Path]:
    """The documents as JSON lines in FILES files, repeated until they hold `megabytes` of text."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"part-{number}.jsonl" for number in range(FILES)]
    handles = [path.open("w") for path in paths]
    for number, text in enumerate(_repeated(documents(), megabytes << 20)):
        handles[number % FILES].write(json.dumps({"text": text}) + "\n")
    for handle in handles:
        handle.close()
    return paths


def read_corpus(paths: list[Path]) -> Iterator[str]:
    """The texts of the files, file by file."""
    for path in paths:
        for line in path.open():
            yield json.loads(line)["text"]


def write_tokenizer(path: Path, vocab_size: int = 32_000) -> None:
    """A byte-level BPE trained on every tenth document."""
    config = TokenizerConfig(kind="byte_level_bpe", vocab_size=vocab_size, end_of_document=END)
    train_tokenizer(config, documents()[::10], path)


def _repeated(texts: list[str], size: int) -> Iterator[str]:
    written = 0
    for text in cycle(texts):
        if written >= size:
            return
        written += len(text.encode())
        yield text
