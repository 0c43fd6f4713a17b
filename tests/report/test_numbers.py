import math

import pytest

from prism.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0208, "0.0208"),
        (16.34, "16.3"),
        (1234.5, "1,234"),
        (3e-7, "3.00e−7"),
        (-0.5, "−0.500"),
        (0, "0"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_significant_digits(value: float | None, text: str) -> None:
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(19.7, "+19.7"), (-3.04, "−3.0"), (0.04, "0.0"), (-0.04, "0.0"), (None, "–")]
)
def test_changes_carry_a_sign_unless_they_round_to_nothing(value: float | None, text: str) -> None:
    assert numbers.signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(512, "512"), (9_999, "9,999"), (12_345, "12.3k"), (899_072, "899k"), (26.2e9, "26.2B")]
)
def test_counts_have_a_unit_prefix(value: float, text: str) -> None:
    assert numbers.short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.14, "3.1 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7_500, "2 h 05 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text
