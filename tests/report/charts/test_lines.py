import xml.etree.ElementTree as ElementTree

from prism.report.charts.lines import Axis, Series, line_chart


def test_a_chart_is_well_formed_and_names_its_series() -> None:
    figure = line_chart("Loss", [Series("a & <b>", [(0, 2.0), (1, 1.0)], 0)], Axis("step"), Axis("nats"))
    assert figure is not None
    tree = ElementTree.fromstring(figure.svg)
    assert tree.attrib["role"] == "img"
    assert [group.attrib["data-series"] for group in tree.iter("g") if "data-series" in group.attrib] == ["a & <b>"]
    assert [key.name for key in figure.legend] == ["a & <b>"]


def test_without_a_point_there_is_no_chart() -> None:
    assert line_chart("Loss", [Series("a", [(0, float("nan"))], 0)], Axis("step"), Axis("nats")) is None


def test_values_that_a_log_axis_cannot_show_are_left_out() -> None:
    figure = line_chart("L2", [Series("a", [(0, 0.0), (1, 0.1), (2, 1.0)], 0)], Axis("layer"), Axis("L2", log=True))
    assert figure is not None
    polyline = next(ElementTree.fromstring(figure.svg).iter("polyline"))
    assert len(polyline.attrib["points"].split()) == 2
