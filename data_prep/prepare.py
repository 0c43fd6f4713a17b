"""Raw sources to tokenizer, .bin/.idx and cards; what is there and unchanged is left alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from data_prep.card import SourceCard, card_path, read_card, write_card
from data_prep.files import fingerprint, sha256_file, write_jsonl
from data_prep.index import IndexWriter, bin_path, idx_path
from data_prep.readers import SourceReader, source_files
from data_prep.schema import DataConfig, SourceConfig
from data_prep.tokenizer import Vocabulary, copy_tokenizer, train_tokenizer

Log = Callable[[str], None]

_BATCH = 1_000
"""Documents that are tokenised together."""


def prepare_sources(config: DataConfig, directory: Path, names: Iterable[str], log: Log) -> dict[str, SourceCard]:
    """Tokenises the named sources into `directory/sources`; returns their cards."""
    vocabulary = prepare_tokenizer(config, directory, log)
    return {name: _prepare(name, config.sources[name], directory, vocabulary, log) for name in names}


def prepare_tokenizer(config: DataConfig, directory: Path, log: Log) -> Vocabulary:
    """Trains or copies the tokenizer to `directory/tokenizer.json` unless it is there and made the same way."""
    path, stamp = directory / "tokenizer.json", directory / "tokenizer.inputs"
    names = config.tokenizer.train_on or list(config.sources)
    wanted = fingerprint(
        [
            config.tokenizer.model_dump(),
            {name: _made_by(config.sources[name], directory) for name in names}
            if config.tokenizer.kind != "file"
            else sha256_file(Path(config.tokenizer.path or "")),
        ]
    )
    if path.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        log("tokenizer: unchanged")
    elif config.tokenizer.kind == "file":
        copy_tokenizer(config.tokenizer, path)
    else:
        texts = (text for name in names for text, held_out in _texts(config.sources[name], directory) if not held_out)
        train_tokenizer(config.tokenizer, texts, path)
    stamp.write_text(wanted)
    vocabulary = Vocabulary(path, config.tokenizer.end_of_document)
    log(f"tokenizer: {vocabulary.vocab_size} tokens")
    return vocabulary


def source_prefix(directory: Path, name: str) -> Path:
    return directory / "sources" / name


def _prepare(name: str, config: SourceConfig, directory: Path, vocabulary: Vocabulary, log: Log) -> SourceCard:
    prefix = source_prefix(directory, name)
    made_by = _made_by(config, directory)
    if card_path(prefix).is_file():
        card = read_card(prefix)
        same = (card.section, card.inputs, card.tokenizer_sha256) == (*made_by, vocabulary.sha256)
        if same and bin_path(prefix).is_file() and idx_path(prefix).is_file():
            log(f"{name}: unchanged, {card.tokens:,} tokens")
            return card
    end = [vocabulary.end_of_document_id] if config.end_of_document else []
    held_out: list[str] = []
    text_bytes = 0
    with IndexWriter(prefix, vocabulary.vocab_size) as writer:
        for batch in _batches(_texts(config, directory)):
            held_out += [text for text, is_held_out in batch if is_held_out]
            kept = [text for text, is_held_out in batch if not is_held_out]
            text_bytes += sum(len(text.encode()) for text in kept)
            for tokens in vocabulary.encode_batch(kept):
                writer.add(tokens + end)
    if config.holdout:
        write_jsonl(prefix.with_name(f"{name}.heldout.jsonl"), ({"text": text} for text in held_out))
    card = SourceCard(
        source=name,
        domain=config.domain,
        licence=config.licence,
        documents=writer.documents,
        tokens=writer.tokens,
        text_bytes=text_bytes,
        held_out_documents=len(held_out),
        tokenizer_sha256=vocabulary.sha256,
        bin_sha256=sha256_file(bin_path(prefix)),
        idx_sha256=sha256_file(idx_path(prefix)),
        section=made_by[0],
        inputs=made_by[1],
        steps=[f"read {config.reader}", f"format {config.format}", f"hold out {config.holdout:.0%}", "tokenise"],
    )
    write_card(prefix, card)
    log(f"{name}: {card.documents:,} documents, {card.tokens:,} tokens")
    return card


def _made_by(config: SourceConfig, directory: Path) -> tuple[str, str]:
    """Fingerprints of the source's settings and of its raw files (name, size, time of change)."""
    files = source_files(config, directory)
    inputs = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return fingerprint(config.model_dump()), fingerprint(inputs)


def _texts(config: SourceConfig, directory: Path) -> Iterator[tuple[str, bool]]:
    """Each document's text, and whether it is held out (a stable hash of the text decides)."""
    reader = SourceReader(config, source_files(config, directory))
    for document in reader.run():
        share = zlib.crc32(document.text.encode()) / 2**32
        yield document.text, share < config.holdout


def _batches(texts: Iterator[tuple[str, bool]]) -> Iterator[list[tuple[str, bool]]]:
    while batch := list(islice(texts, _BATCH)):
        yield batch
