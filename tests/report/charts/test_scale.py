import pytest

from prism.report.charts.scale import linear_scale, log_scale, tick_label


def test_a_linear_scale_covers_its_values_with_whole_ticks() -> None:
    scale = linear_scale([3.0, 97.0], 0, 100)
    assert (scale.low, scale.high) == (0, 100)
    assert scale.ticks == (0, 20, 40, 60, 80, 100)
    assert scale(25) == 25


def test_a_bound_that_is_given_is_kept() -> None:
    scale = linear_scale([0.947, 0.999], 0, 1, high=1.0)
    assert scale.high == 1.0
    assert max(scale.ticks) == 1.0


def test_whole_ticks_only_where_wanted() -> None:
    assert linear_scale([0, 1, 2, 3], 0, 1, nice=False, whole=True).ticks == (0, 1, 2, 3)


@pytest.mark.parametrize("values", [[], [0.0], [5.0, 5.0], [float("nan")]])
def test_values_that_do_not_vary_still_have_a_scale(values: list[float]) -> None:
    scale = linear_scale(values, 0, 100)
    assert scale.high > scale.low
    assert log_scale(values, 0, 100).high > log_scale(values, 0, 100).low


def test_a_log_scale_is_even_in_ratios() -> None:
    scale = log_scale([0.001, 1.0], 0, 300)
    assert scale.ticks == pytest.approx((0.001, 0.01, 0.1, 1))
    assert scale(0.01) == pytest.approx(100)
    assert not scale.shows(0.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0005, "0.0005"), (2e-6, "2e−6"), (40, "40"), (20_000, "20k"), (-0.2, "−0.2"), (1e9, "1e9")],
)
def test_tick_labels_are_short(value: float, text: str) -> None:
    assert tick_label(value) == text
