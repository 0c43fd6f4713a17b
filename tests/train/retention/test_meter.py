"""The gate reads the same scores at every layout."""

from __future__ import annotations

import json

import pytest

from prism.megatron.parallel import Layout
from prism.train.held_out import Passage
from prism.train.retention.measures import TextItems
from prism.train.retention.meter import Meter
from tests.models.tiny_io import run
from tests.train.retention.meter_worker import LAYOUTS, measures, scores

Scores = dict[str, list[float]]

pytestmark = pytest.mark.xdist_group("meter")  # one process makes what its tests share


@pytest.fixture(scope="module")
def at_layouts(tmp_path_factory: pytest.TempPathFactory, alone: None) -> tuple[Scores, dict[str, Scores]]:
    """Scores of one process, and those of two by layout."""
    root = tmp_path_factory.mktemp("meter")
    one = scores(Layout(), None, save_to=root / "weights")
    run("tests.train.retention.meter_worker", root, ranks=2)
    return one, {name: json.loads((root / f"{name}.json").read_text()) for name in LAYOUTS}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_reads_the_same(at_layouts: tuple[Scores, dict[str, Scores]], layout: str) -> None:
    one, spread = at_layouts
    assert {name: len(values) for name, values in one.items()} == {"text": 70, "choice": 60}
    for name, values in one.items():
        assert spread[layout][name] == pytest.approx(values, rel=1e-5)


def test_padding_is_at_most_the_double(alone: None) -> None:
    positions = sum(len(one.tokens) - 1 for measure in measures().values() for one in measure.passages)
    assert Meter(measures(), 128, 32, Layout()).tokens < 2.5 * positions


def test_rows_are_cut_as_the_layout_wants_them(alone: None) -> None:
    passages = [Passage(list(range(10)), 9, number) for number in range(3)]
    layout = Layout(tensor=3, context=2, sequence_parallel=True)
    assert Meter({"text": TextItems(passages, 1.0, 2.0, 0.0)}, 24, 96, layout).tokens % (3 * 24) == 0
