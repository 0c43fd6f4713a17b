"""Tokenizers: trained on the sources, or any Hugging Face tokenizer.json."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from data_prep.errors import DataError
from data_prep.files import fingerprint, sha256_file, sha256_text, write_text
from data_prep.formats import THINK_CLOSE, THINK_OPEN
from data_prep.schema import TokenizerConfig
from data_prep.word_cache import WordCache

UNKNOWN = "<unk>"


class Vocabulary:
    """A tokenizer.json in use.

    Raises:
        DataError: the file is missing, or lacks the end-of-document token.
    """

    def __init__(self, path: Path, end_of_document: str) -> None:
        if not path.is_file():
            raise DataError("the tokenizer is missing", place=str(path), remedy="run `prism data prepare` first")
        self.path = path
        self.end_of_document = end_of_document
        self.tokenizer = _load(path)
        token_id = self.tokenizer.token_to_id(end_of_document)
        if token_id is None:
            raise DataError(
                f"no token {end_of_document!r}",
                place=str(path),
                remedy="set data.tokenizer.end_of_document to the token that ends documents",
            )
        self.end_of_document_id: int = token_id
        self._unknown_id = self.tokenizer.token_to_id(UNKNOWN) if _is_word_level(self.tokenizer) else None

    @property
    def vocab_size(self) -> int:
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    @cached_property
    def sha256(self) -> str:
        return sha256_text(self.path.read_text())

    @cached_property
    def _words(self) -> WordCache | None:
        return WordCache.of(self.tokenizer)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, no special token added.

        Raises:
            DataError: a word that a word-level vocabulary doesn't know.
        """
        return self._library([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int] | array[int]]:
        """Token ids of each text, the same as `encode` gives; made for many texts."""
        found: list[list[int] | array[int] | None] = [None] * len(texts)
        if self._words is not None:
            found = [self._words.encode(text) for text in texts]
        left = [number for number, ids in enumerate(found) if ids is None]
        for number, ids in zip(left, self._library([texts[number] for number in left]), strict=True):
            found[number] = ids
        return [ids for ids in found if ids is not None]

    def _library(self, texts: Sequence[str]) -> list[list[int]]:
        # "fast" leaves out where in the text each token lies, which nobody asks for
        encoded = [item.ids for item in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
        if self._unknown_id is not None:
            for text, ids in zip(texts, encoded, strict=True):
                if self._unknown_id in ids:
                    raise DataError(
                        f"a word isn't in the vocabulary: {text[:80]!r}",
                        place=str(self.path),
                        remedy="train the tokenizer on this source too (data.tokenizer.train_on)",
                    )
        return encoded

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`; special tokens are kept."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False))


def prepare_tokenizer(
    config: TokenizerConfig,
    directory: Path,
    sources: Mapping[str, tuple[Any, Callable[[], Iterable[str]]]],
    log: Callable[[str], None],
) -> Vocabulary:
    """Trains or copies the tokenizer to `directory/tokenizer.json` unless it is there and made the same way.

    Args:
        sources: by name, what the source is made from (compared as JSON) and how its texts are read.
    """
    path, stamp = directory / "tokenizer.json", directory / "tokenizer.inputs"
    names = config.train_on or list(sources)
    made_from: Any = {name: sources[name][0] for name in names}
    if config.kind == "file":
        _check_file(config)
        made_from = sha256_file(Path(config.path or ""))
    wanted = fingerprint([config.model_dump(), made_from])
    if path.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        log("tokenizer: unchanged")
    elif config.kind == "file":
        copy_tokenizer(config, path)
    else:
        train_tokenizer(config, (text for name in names for text in sources[name][1]()), path)
    write_text(stamp, wanted)
    vocabulary = Vocabulary(path, config.end_of_document)
    log(f"tokenizer: {vocabulary.vocab_size} tokens")
    return vocabulary


def train_tokenizer(config: TokenizerConfig, texts: Iterable[str], path: Path) -> None:
    """Trains on `texts` and writes tokenizer.json. The same texts in the same order give the same file."""
    tokenizer = _word_level(texts, config) if config.kind == "word_level" else _byte_level(texts, config)
    write_text(path, tokenizer.to_str(pretty=True))


def copy_tokenizer(config: TokenizerConfig, path: Path) -> None:
    """Copies the file that the recipe names. Raises DataError when it isn't a tokenizer."""
    source = Path(config.path or "")
    tokenizer = _load(source)
    if tokenizer.token_to_id(config.end_of_document) is None:
        raise DataError(
            f"no token {config.end_of_document!r}",
            place=str(source),
            remedy="set data.tokenizer.end_of_document to the token that ends documents",
        )
    write_text(path, source.read_text())


def _load(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more particular
        raise DataError(
            f"not a Hugging Face tokenizer ({error})", place=str(path), remedy="give the path of a tokenizer.json"
        ) from None


def _is_word_level(tokenizer: Tokenizer) -> bool:
    return isinstance(tokenizer.model, models.WordLevel)


def _check_file(config: TokenizerConfig) -> None:
    if not Path(config.path or "").is_file():
        raise DataError(
            "the tokenizer is missing",
            place=config.path or "data.tokenizer.path",
            remedy="give the path of a Hugging Face tokenizer.json",
        )


def _word_level(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    special = [config.end_of_document, UNKNOWN, THINK_OPEN, THINK_CLOSE]
    words = sorted({word for text in texts for word in text.split()} - set(special))
    vocabulary = {word: index for index, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def _byte_level(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=[config.end_of_document],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
