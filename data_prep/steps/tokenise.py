"""The last step: text to a shard of tokens, and what is held out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from data_prep.content_hash import Piece
from data_prep.files import read_json, write_json, write_jsonl
from data_prep.index import IndexWriter
from data_prep.steps.chain import is_held_out
from data_prep.tokenizer import Vocabulary

_BATCH_CHARACTERS = 1 << 20
"""Text that is tokenised together: enough to keep the tokenizer busy, little enough to bound memory."""


@dataclass(frozen=True)
class ShardResult:
    """What became of a unit; written beside its shard when that is whole."""

    documents: int
    tokens: int
    text_bytes: int
    held_out_documents: int
    short_documents: int
    bin: Piece
    idx: Piece


class HoldOut(PipelineStep):  # type: ignore[misc]
    """Keeps a share of documents out of training, by a stable hash of the text; writes them to a file a unit."""

    type = "documents"
    name = "hold out"

    def __init__(self, share: float, folder: Path) -> None:
        super().__init__()
        self._share = share
        self._folder = folder

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        held_out: list[str] = []
        for document in data:
            if is_held_out(document.text, self._share):
                held_out.append(document.text)
                self.stat_update("held out")
            else:
                yield document
        write_jsonl(held_out_path(self._folder, rank), ({"text": text} for text in held_out))


class Tokenise(PipelineStep):  # type: ignore[misc]
    """Writes the unit's documents as a shard. Ends the pipeline."""

    type = "tokens"
    name = "tokenise"

    def __init__(
        self, folder: Path, tokenizer: Path, end_of_document: str, *, append_end: bool, min_tokens: int, alone: bool
    ) -> None:
        """`alone` means that no other process works beside this one: the tokenizer takes all cores."""
        super().__init__()
        self._folder = folder
        self._tokenizer = tokenizer
        self._end_of_document = end_of_document
        self._append_end = append_end
        self._min_tokens = min_tokens
        self._alone = alone

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if self._alone else "false"
        vocabulary = _opened(self._tokenizer, self._end_of_document, self._tokenizer.stat().st_mtime_ns)
        end = [vocabulary.end_of_document_id] if self._append_end else []
        text_bytes = short = 0
        with IndexWriter(shard_prefix(self._folder, rank), vocabulary.vocab_size) as writer:
            for texts in _batches(data):
                for text, tokens in zip(texts, vocabulary.encode_batch(texts), strict=True):
                    if len(tokens) < self._min_tokens:
                        short += 1
                        self.stat_update("dropped", f"dropped: fewer than {self._min_tokens} tokens")
                        continue
                    text_bytes += len(text.encode())
                    tokens.extend(end)
                    writer.add(tokens)
                    self.stat_update("tokens", value=len(tokens))
        held_out = held_out_path(self._folder, rank)
        count = sum(1 for _ in held_out.open("rb")) if held_out.is_file() else 0
        assert writer.written is not None
        result = ShardResult(
            writer.documents, writer.tokens, text_bytes, count, short, writer.written.bin, writer.written.idx
        )
        write_json(result_path(self._folder, rank), asdict(result))
        yield from ()


@lru_cache(maxsize=1)
def _opened(tokenizer: Path, end_of_document: str, _changed: int) -> Vocabulary:
    """The vocabulary of this process: a worker keeps the words that it knows from unit to unit."""
    return Vocabulary(tokenizer, end_of_document)


def shard_prefix(folder: Path, unit: int) -> Path:
    return folder / f"{unit:05d}"


def held_out_path(folder: Path, unit: int) -> Path:
    return folder / f"{unit:05d}.heldout.jsonl"


def result_path(folder: Path, unit: int) -> Path:
    return folder / f"{unit:05d}.json"


def read_result(folder: Path, unit: int) -> ShardResult:
    values = read_json(result_path(folder, unit))
    return ShardResult(**{**values, "bin": Piece(**values["bin"]), "idx": Piece(**values["idx"])})


def _batches(data: DocumentsPipeline) -> Iterator[list[str]]:
    texts: list[str] = []
    characters = 0
    for document in data:
        texts.append(document.text)
        characters += len(document.text)
        if characters >= _BATCH_CHARACTERS:
            yield texts
            texts, characters = [], 0
    if texts:
        yield texts
