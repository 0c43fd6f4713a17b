"""Ids by words against the library's own."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from data_prep.word_cache import WordCache, ascii_pattern

_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA_3 = rf"{_LETTERS}|\p{{N}}{{1,3}}|{_SIGNS}"
QWEN = rf"{_LETTERS}|\p{{N}}|{_SIGNS}"
TEXTS = [
    "The cat's 12345 toys, they'll cost $3.50!\n\n    def f(x):\n\treturn x+1  # naïve café – 数学\r\n",
    "don't DON'T it's IT'S 'sound 's\x1cx\x85y\xa0z",
] * 20


def build(pre_tokenizer: object, normalizer: object = None) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def split(pattern: str) -> object:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


TOKENIZERS = {
    "gpt2": build(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "llama3": build(split(LLAMA_3)),
    "qwen": build(split(QWEN), normalizers.NFC()),
}
CACHES = {name: WordCache.of(tokenizer) for name, tokenizer in TOKENIZERS.items()}
PLAIN = st.text(st.characters(max_codepoint=127), max_size=200)
MIXED = st.lists(
    st.sampled_from(
        [
            " word",
            "word ",
            " 12",
            "é",
            "e\u0301",
            "数",
            "\u00a0",
            "\u2028",
            "½",
            "\n",
            " ",
            "'s",
            "(",
            "a b c d e f",
            "\x1c",
        ]
    ),
    max_size=60,
).map("".join)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(PLAIN | MIXED)
@example("a" * 20 + " plain text é then more plain text " * 3)
def test_ids_are_the_librarys(name: str, text: str) -> None:
    cache = CACHES[name]
    assert cache is not None
    found = cache.encode(text)
    if text.isascii() and "<eos>" not in text:
        assert found is not None
    if found is not None:
        assert found.tolist() == TOKENIZERS[name].encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("name", TOKENIZERS)
def test_ids_are_the_librarys_on_the_standard_library(name: str) -> None:
    cache, served = CACHES[name], 0
    assert cache is not None
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:60]
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        found = cache.encode(text)
        served += found is not None
        if found is not None:
            assert found.tolist() == TOKENIZERS[name].encode(text, add_special_tokens=False).ids, path
    assert served > 50


def test_text_with_a_special_token_is_left_to_the_library() -> None:
    cache = CACHES["gpt2"]
    assert cache is not None
    assert cache.encode("one <eos> two") is None


def lower_case() -> Tokenizer:
    return build(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.Lowercase())


def prefix_space() -> Tokenizer:
    return build(pre_tokenizers.ByteLevel(add_prefix_space=True))


def digits_first() -> Tokenizer:
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return build(pre_tokenizers.Sequence(steps))


def truncating() -> Tokenizer:
    tokenizer = build(pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.enable_truncation(5)
    return tokenizer


def stripping() -> Tokenizer:
    tokenizer = build(pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.add_tokens([AddedToken("thing", lstrip=True)])
    return tokenizer


def words_only() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


@pytest.mark.parametrize("make", [lower_case, prefix_space, digits_first, truncating, stripping, words_only])
def test_a_tokenizer_that_works_in_another_way_is_not_served(make: object) -> None:
    assert WordCache.of(make()) is None  # type: ignore[operator]


def test_a_pattern_that_parts_words_at_other_places_is_found_out_by_trying() -> None:
    # the piece of a word and the space before it depend on what stands two words before
    pattern = r"(?<=b) a| ?\p{L}+|\p{N}+|[^\s\p{L}\p{N}]+|\s+"
    tokenizer = build(split(pattern))
    cache = WordCache.of(tokenizer)
    for text in ("ab a", "b abc", "b a"):
        found = cache.encode(text) if cache is not None else None
        assert found is None or found.tolist() == tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("pattern", [r"\p{Greek}+", r"\P{L}", r"[\S]", r"\bx", "(["])
def test_a_pattern_that_cannot_be_translated_is_refused(pattern: str) -> None:
    assert ascii_pattern(pattern) is None
