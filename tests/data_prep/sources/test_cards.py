"""Each card on made-up rows in its set's public layout: what it keeps, what it drops, and how that looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_prep.joins import open_join
from data_prep.read import read_rows
from data_prep.render import render
from data_prep.rows import Keep, Row
from data_prep.sampling import KeyWriter, combine_keys
from data_prep.schema import SourceConfig
from data_prep.sources.catalog import card, cards
from tests.data_prep.sources.layout import write_sample
from tests.data_prep.sources.samples import SAMPLES


def test_every_card_has_a_sample() -> None:
    assert set(SAMPLES) == {name for name in cards() if not card(name).parts}


@pytest.mark.parametrize("ending", [None, ".jsonl", ".arrow"], ids=["own files", "json lines", "arrow"])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_card_keeps_drops_and_renders_its_sets_rows(name: str, ending: str | None, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    write_sample(sample, tmp_path, ending)
    dropped: Counter[str] = Counter()
    texts = list(documents(SourceConfig(card=name, path=str(tmp_path)), dropped, tmp_path / "work"))
    assert texts == sample.texts
    assert dropped == sample.dropped


def test_the_draw_of_open_code_reasoning_2_is_by_language_after_the_filters(tmp_path: Path) -> None:
    write_sample(SAMPLES["open_code_reasoning_2"], tmp_path)
    counts = {"*python*": 1, "*cpp*": 2}
    sample = {"by": "@path", "counts": counts, "key": "id"}
    config = SourceConfig(card="open_code_reasoning_2", path=str(tmp_path), sample=sample)
    dropped: Counter[str] = Counter()
    texts = list(documents(config, dropped, tmp_path / "work"))
    assert dropped["not drawn"] == 1
    assert sum(text in SAMPLES["open_code_reasoning_2"].texts[2:] for text in texts) == 1
    assert SAMPLES["open_code_reasoning_2"].texts[:2] == texts[:2]


def test_the_papers_draw_is_60_000_of_python_and_of_cpp() -> None:
    sample = card("open_code_reasoning_2").sample
    assert sample is not None and sample.counts == {"*python*": 60_000, "*cpp*": 60_000}


def documents(config: SourceConfig, dropped: Counter[str], work: Path) -> Iterator[str]:
    """Rows through the steps in their order: keep, look up, draw, render."""
    rows = list(_joined(config, dropped))
    draw = None
    if config.sample is not None:
        keys = KeyWriter(config.sample)
        for place, row in rows:
            keys.add(row, place)
        keys.save(work / "keys.npz")
        draw = combine_keys(work, config.sample)
    for place, row in rows:
        reason = draw.drop_reason(row, place) if draw else None
        if reason:
            dropped[reason] += 1
        else:
            yield render(row, config)


def _joined(config: SourceConfig, dropped: Counter[str]) -> Iterator[tuple[str, Row]]:
    keep = Keep(config.keep)
    join = open_join(config.join, config.path) if config.join else None
    for place, row in read_rows(config, Path("unused")):
        reason = keep.drop_reason(row)
        if reason:
            dropped[reason] += 1
        elif join is None:
            yield place, row
        else:
            yield from ((f"{place}/{number}", joined) for number, joined in enumerate(join(row)))
    if join is not None:
        dropped.update(join.missing)
