"""Grids of parts by layer: squares, shades by logarithm, what is missing, and the table below them."""

from __future__ import annotations

import re

from prism.report.charts.grid import grid_chart


def test_a_square_for_every_value_shaded_by_its_logarithm() -> None:
    figure = grid_chart("Moved", {"q": {0: 0.01, 1: 0.1}, "up": {0: 1.0}}, "layer", "relative L2")
    assert figure is not None
    shades = [float(shade) for shade in re.findall(r'fill-opacity="([\d.]+)"', figure.svg)]
    assert shades[:3] == [0.08, 0.54, 1.0]
    assert len(shades) == 3 + 5, "five squares say what the shades mean"
    assert "q, layer 1: 0.100" in figure.svg and "1.0 relative L2" in figure.svg
    assert figure.data.columns == ("part", "layer 0", "layer 1")
    assert figure.data.rows == (("q", 0.01, 0.1), ("up", 1.0, None))


def test_squares_and_labels_lie_within_the_picture_however_many_layers() -> None:
    figure = grid_chart("Moved", {"mamba.out_proj": {layer: 0.1 + layer for layer in range(64)}}, "layer", "")
    assert figure is not None
    places = [
        float(x) + float(width)
        for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', figure.svg)
    ]
    assert max(places) <= 520
    assert len(re.findall(r'class="tick"', figure.svg)) <= 10 + 2


def test_what_did_not_move_is_empty_and_nothing_is_no_figure() -> None:
    figure = grid_chart("Moved", {"q": {0: 0.0, 1: 0.1}}, "layer", "")
    assert figure is not None and 'fill-opacity="0.00"' in figure.svg
    assert grid_chart("Moved", {"q": {0: 0.0}}, "layer", "") is None
    assert grid_chart("Moved", {}, "layer", "") is None
