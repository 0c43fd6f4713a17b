"""The largest haystack that fits."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from prism.evaluate.ruler.fill import largest_fit


@given(
    st.integers(0, 50), st.integers(1, 30), st.integers(0, 5_000), st.integers(0, 20), st.none() | st.integers(20, 200)
)
def test_no_larger_haystack_fits(fixed: int, each: int, room: int, least: int, most: int | None) -> None:
    found = largest_fit(lambda units: fixed + each * units, room, least, most)
    if found is None:
        assert fixed + each * least > room
    else:
        assert fixed + each * found <= room and (found == most or fixed + each * (found + 1) > room)


@given(st.integers(0, 1_000), st.integers(10, 3_000))
def test_what_is_found_fits_even_where_sizes_waver(seed: int, room: int) -> None:
    generator = random.Random(seed)
    sizes = [0]
    for _ in range(4_000):
        sizes.append(max(0, sizes[-1] + generator.choice((-1, 0, 1, 2, 3))))
    found = largest_fit(lambda units: sizes[units], room, 0, 4_000)
    assert found is not None and sizes[found] <= room


def test_sizes_are_asked_for_seldom() -> None:
    asked = []

    def size(units: int) -> int:
        asked.append(units)
        return 300 + 17 * units + units // 7

    largest_fit(size, 131_000)
    assert len(asked) <= 12
