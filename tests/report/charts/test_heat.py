"""Heat maps: squares, their values, and what stands below them."""

from __future__ import annotations

import re

from prism.report.charts.heat import heat_map


def test_a_square_for_every_value_as_full_as_it_is_large() -> None:
    figure = heat_map("CKA", [[1.0, 0.25], [0.5, 0.75], [0.0, 1.2]], "before", "after")
    assert figure is not None
    assert re.findall(r'fill-opacity="([\d.]+)"', figure.svg) == ["1.00", "0.25", "0.50", "0.75", "0.00", "1.00"]
    assert "before 1, after 0: 0.500" in figure.svg
    assert figure.data.columns == ("before \\ after", "0", "1")
    assert figure.data.rows[1] == (1.0, 0.5, 0.75)


def test_the_first_row_is_at_the_bottom() -> None:
    figure = heat_map("CKA", [[1.0], [0.5]], "before", "after")
    assert figure is not None
    first, second = (float(y) for y in re.findall(r'<rect x="[\d.]+" y="([\d.]+)"', figure.svg))
    assert first > second


def test_large_maps_leave_their_values_to_the_table() -> None:
    figure = heat_map("CKA", [[0.5] * 40 for _ in range(40)], "before", "after")
    assert figure is not None and "<title>" not in figure.svg and len(figure.data.rows) == 40


def test_rows_and_columns_may_have_values_of_their_own_and_the_largest_may_be_full() -> None:
    figure = heat_map("Pass rate", [[0, 20], [10, 40]], "beta", "alpha", names=(["0", "0.5"], ["0", "1"]), full=40)
    assert figure is not None
    assert re.findall(r'fill-opacity="([\d.]+)"', figure.svg) == ["0.00", "0.50", "0.25", "1.00"]
    assert "beta 0.5, alpha 1: 40.000" in figure.svg
    assert figure.data.columns == ("beta \\ alpha", "0", "1") and figure.data.rows[1] == (0.5, 10, 40)


def test_nothing_is_no_figure() -> None:
    assert heat_map("CKA", [], "before", "after") is None
