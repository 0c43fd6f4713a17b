import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.report.charts.downsample import downsample, running_mean


@given(st.integers(0, 5_000), st.integers(1, 700))
def test_a_curve_never_has_more_points_than_allowed(length: int, most: int) -> None:
    points = [(float(x), float(x % 7)) for x in range(length)]
    assert len(downsample(points, most)) <= most


def test_each_point_is_the_mean_of_its_neighbours() -> None:
    assert downsample([(0, 1), (1, 3), (2, 5), (3, 7)], 2) == [(0.5, 2), (2.5, 6)]


def test_points_that_are_not_finite_are_left_out() -> None:
    assert downsample([(0, 1.0), (1, math.nan), (2, math.inf)], 10) == [(0, 1.0)]


def test_a_running_mean_lies_in_the_middle_of_its_window() -> None:
    line = [(float(x), 2.0 * x) for x in range(20)]
    assert running_mean(line, 5)[10] == (10.0, pytest.approx(20.0))
