"""The words of a text are the same however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.words.split import split_words

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZéßñüж", min_size=1, max_size=8)
SEPARATORS = st.text(' \t\n\r\u00a0\u3000.,;:!?()[]"-*&%@=+<>|', min_size=1, max_size=4).filter(lambda text: text != "")


def words(text: str) -> list[int]:
    return split_words(text).hashes.tolist()


@settings(deadline=None)
@given(st.lists(LETTERS, max_size=20), st.data())
def test_white_space_punctuation_and_case_make_no_difference(content: list[str], data: st.DataObject) -> None:
    plain = " ".join(content)
    other = "".join(word + data.draw(SEPARATORS) for word in content)
    assert words(other) == words(plain) == words(plain.lower()) == words(plain.swapcase().casefold())
    assert len(words(plain)) == len(content)


@settings(deadline=None)
@given(st.integers(0, 10**15), st.integers(0, 4))
def test_a_whole_number_is_one_word_however_it_is_formatted(number: int, zeros: int) -> None:
    plain = words(f"a {number} b")
    grouped = f"{number:,}"
    assert len(plain) == 3
    for other in (
        grouped,
        grouped.replace(",", "{,}"),
        grouped.replace(",", r"\,"),
        grouped.replace(",", r",\!"),
        grouped.replace(",", "\u202f"),
        f"{number}.{'0' * (zeros + 1)}",
        "0" * zeros + str(number),
        grouped.translate(FULL_WIDTH),
        f"${number}$",
        rf"\${grouped}",
    ):
        assert words(f"a {other} b") == plain, other


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 4))
def test_decimals_lose_only_their_trailing_zeros(whole: int, fraction: int, zeros: int) -> None:
    plain = words(f"{whole}.{fraction}")
    assert words(f"{whole:,}.{fraction}{'0' * zeros}") == plain
    assert len(plain) == 1
    assert plain != words(f"{whole}.{fraction}1")
    assert plain != words(str(whole))


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_different_numbers_are_different_words(one: int, other: int) -> None:
    assert (words(str(one)) == words(str(other))) is (one == other)


@settings(deadline=None)
@given(st.text())
def test_any_text_has_words_that_lie_in_it(text: str) -> None:
    found = split_words(text)
    assert all(0 <= start < stop <= len(found.text) for start, stop in zip(found.starts, found.stops, strict=True))
    assert (found.starts[1:] >= found.stops[:-1]).all()


@pytest.mark.parametrize(
    "one, other",
    [
        (r"\frac{1}{2}", "1/2"),
        (r"$\dfrac{3}{4}$ of it", "3/4 of it"),
        (r"\left( x,\, y \right)", "(x, y)"),
        (r"f(x)\!=\;2\ x", "f(x) = 2 x"),
        ("1.50", "1.5"),
        ("5.0", "5"),
        ("007", "7"),
        ("1,000 and 1 000", "1000 and 1000"),
        ("１２３ ＡＢＣ", "123 abc"),
        ("Café’s", "cafe's"),
        ("ﬁnd", "find"),
    ],
)
def test_written_in_two_ways(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize("one, other", [("1,000", "1,0000"), ("1.5", "15"), ("1, 2", "12"), ("ab", "a b"), ("7", "70")])
def test_what_means_something_else_stays_apart(one: str, other: str) -> None:
    assert words(one) != words(other)
