"""Splitting text into words that don't depend on how it is written."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.words.runs import hash_between, prefixes, run_hashes
from data_prep.words.split import split_words

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("0123456789,. '\\{}$abé½√"), max_size=60)


def words(text: str) -> list[int]:
    return [int(word) for word in split_words(text).hashes]


def spans(text: str) -> list[str]:
    found = split_words(text)
    return [found.text[start:stop] for start, stop in zip(found.starts, found.stops, strict=True)]


@pytest.mark.parametrize(
    "text, other",
    [
        ("$80,000", "$80 000"),
        ("1,000,000", "1000000.00"),
        ("10,\\!000", "１０，０００"),
        ("1{,}000", "1\\,000"),
        ("12'500", "12_500"),
        ("007 1.50 .5", "7 1.5 0.50"),
        ("0.0", "00"),
        ("costs 5. Then", "costs 5 then"),
        ("(5,200)", "( 5.0, 200 )"),
        ("1,000, 200", "1000, 200"),
        ("\\dfrac{1}{2}", "½"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, π/2)"),
        ("\\sqrt{242}", "√242"),
        ("\\dbinom{31}{28}", "\\binom{31}{28}"),
        ("x^{2}", "x²"),
        ("Janet’s café", "JANETS CAFE\u0301"),
        ("ﬁve\u00adfold zero\u200bwidth", "fivefold zerowidth"),
        ("\\$5 50\\% a~b", "$5 50% a b"),
        ("2x", "2 x"),
        ("٣٤", "34"),
    ],
)
def test_the_same_text_written_otherwise_has_the_same_words(text: str, other: str) -> None:
    assert words(text) == words(other)


@pytest.mark.parametrize(
    "text, other",
    [
        ("1,000", "1,0000"),
        ("1.5", "15"),
        ("1.05", "1.5"),
        ("10", "1"),
        ("2020 100", "2020100"),
        ("5 12", "512"),
        ("100 20", "10 020"),
        ("ab c", "a bc"),
        ("left", "\\left"),
        ("日本", "本日"),
    ],
)
def test_different_text_has_different_words(text: str, other: str) -> None:
    assert words(text) != words(other)


def test_words_know_their_places() -> None:
    assert spans("The 1,250  dogs' Owner's 3.50\\left(x_1") == ["the", "1,250", "dogs", "owner's", "3.50", "x", "1"]
    assert split_words("One  two\nTHREE four").between(1, 2) == "two three"
    assert [int(word) & 1 for word in split_words("a 1 b22").hashes] == [0, 1, 0, 1]


@given(TEXTS)
def test_case_and_form_make_no_difference(text: str) -> None:
    assert words(text) == words(unicodedata.normalize("NFKD", text)) == words(unicodedata.normalize("NFC", text))
    if text.isascii():
        assert words(text) == words(text.upper())


@given(TEXTS)
def test_places_are_in_order_and_inside(text: str) -> None:
    found = split_words(text)
    edges = np.stack([found.starts, found.stops], 1).ravel()
    assert (np.diff(edges) >= 0).all() and (found.stops > found.starts).all()
    assert not len(edges) or (edges[0] >= 0 and edges[-1] <= len(found.text))


@given(st.integers(0, 10**12), st.sampled_from([",", "{,}", "\\,", ", ", "'", "_", ",\\!"]), st.integers(0, 3))
def test_a_number_is_one_word_in_every_format(number: int, separator: str, zeros: int) -> None:
    formatted = "0" * zeros + f"{number:,}".replace(",", separator)
    if (zeros and number >= 1_000) or number < 1_000:
        formatted = "0" * zeros + str(number)
    assert words(f"a {formatted}{'.' + '0' * zeros if zeros else ''} b") == words(f"a {number} b")


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 8))
def test_equal_runs_have_equal_hashes_and_others_dont(values: list[int], length: int) -> None:
    hashes = np.array([value * 0x9E3779B97F4A7C15 % 2**64 for value in values], np.uint64)
    found = run_hashes(hashes, length)
    size = min(length, len(values))
    runs = [tuple(values[place : place + size]) for place in range(len(values) - size + 1)] if values else []
    assert len(found) == len(runs)
    assert len(set(found.tolist())) == len(set(runs))
    begins = prefixes(hashes)
    assert [hash_between(begins, place, size) for place in range(len(runs))] == found.tolist()


def test_words_keep_their_hashes() -> None:
    """Indexes on disk hold them."""
    assert words("Hello 1,234 π 本") == [
        0x157971657D32F00,
        0x5BC63A3D2F0EDA17,
        0x9D803E4EA5808A5C,
        0x1A3B059BB0E25DD8,
    ]
