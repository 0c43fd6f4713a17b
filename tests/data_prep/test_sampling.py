"""The draw: by seed, whoever reads the rows, without replacement, uniform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.errors import DataError
from data_prep.rows import Row
from data_prep.sampling import Draw, KeyWriter, combine_keys
from data_prep.schema import SampleConfig
from data_prep.sources.catalog import card

Placed = tuple[str, Row]

CHI_SQUARE_99 = (61.1, 148.2)
"""0.1% and 99.9% points of chi-square with 99 degrees of freedom."""


def rows(count: int, group: str = "train/python/a.parquet") -> list[Placed]:
    return [(f"{group}:{number}", {"id": f"{group[6:9]}{number}", "@path": group}) for number in range(count)]


def draw(units: Sequence[Sequence[Placed]], config: SampleConfig, folder: Path) -> Draw:
    for number, unit in enumerate(units):
        keys = KeyWriter(config)
        for place, row in unit:
            keys.add(row, place)
        keys.save(folder / f"{number:05d}.npz")
    return combine_keys(folder, config)


def drawn(units: Sequence[Sequence[Placed]], config: SampleConfig, folder: Path) -> set[str]:
    found = draw(units, config, folder)
    return {place for unit in units for place, row in unit if found.keeps(row, place)}


def config(**settings: Any) -> SampleConfig:
    return SampleConfig(**{"counts": {"*": 50}, "seed": 1, **settings})


def test_the_papers_draw_of_60_000_a_language_is_exact_and_uniform_over_positions(tmp_path: Path) -> None:
    sample = card("open_code_reasoning_2").sample
    assert sample is not None
    there = 130_000
    python, cpp = rows(there), rows(there, "train/cpp/a.parquet")
    found = draw([[*python, *cpp]], sample, tmp_path)
    for language in (python, cpp):
        positions = [number for number, (place, row) in enumerate(language) if found.keeps(row, place)]
        assert len(positions) == 60_000
        for bins in (np.array(positions) * 100 // there, np.array(positions) % 100):
            assert CHI_SQUARE_99[0] < chi_square(bins, 60_000, there) < CHI_SQUARE_99[1]
    assert found.warnings() == []


def test_chi_square_tells_a_draw_that_is_not_uniform() -> None:
    skewed = np.array([number for number in range(130_000) if number % 100 < 46 or number % 1_000 < 4])
    assert chi_square(skewed * 100 // 130_000, len(skewed), 130_000) < CHI_SQUARE_99[0]  # too even by position
    assert chi_square(skewed % 100, len(skewed), 130_000) > CHI_SQUARE_99[1]


@pytest.mark.parametrize("key", [None, "id"])
def test_the_same_seed_draws_the_same_rows_however_they_are_split_into_units(key: str | None, tmp_path: Path) -> None:
    everything = rows(5_000)
    whole = drawn([everything], config(key=key), tmp_path / "whole")
    split = drawn([everything[3_000:], [], everything[:10], everything[10:3_000]], config(key=key), tmp_path / "split")
    assert len(whole) == 50
    assert split == whole


def test_with_a_key_the_draw_is_the_same_for_files_of_other_names_and_order(tmp_path: Path) -> None:
    first = rows(2_000)
    second = [(f"b:{number}", row) for number, (_, row) in enumerate(reversed(first))]
    assert identities(first, drawn([first], config(key="id"), tmp_path / "a")) == identities(
        second, drawn([second], config(key="id"), tmp_path / "b")
    )


def test_another_seed_draws_other_rows(tmp_path: Path) -> None:
    one = drawn([rows(5_000)], config(seed=1), tmp_path / "1")
    two = drawn([rows(5_000)], config(seed=2), tmp_path / "2")
    assert len(one) == len(two) == 50
    assert len(one & two) < 10  # 0.5 expected


def test_rows_with_one_identity_do_not_make_the_draw_larger(tmp_path: Path) -> None:
    same = [(f"a:{number}", {"id": "same", "@path": "a"}) for number in range(200)]
    assert len(drawn([same[:150], same[150:]], config(key="id"), tmp_path)) == 50


def test_a_group_with_too_few_rows_is_kept_whole_and_reported(tmp_path: Path) -> None:
    found = draw([rows(20), rows(10)], config(), tmp_path)
    assert found.warnings() == ["*: 50 rows asked for, only 30 there; all are drawn"]
    assert found.groups["*"].drawn == 30
    assert all(found.keeps(row, place) for place, row in rows(30))


def test_a_row_belongs_to_the_first_group_that_fits_and_a_row_of_none_is_dropped(tmp_path: Path) -> None:
    settings = config(by="language", counts={"py*": 1, "*": 0})
    placed = [("a", {"language": "python"}), ("b", {"language": "cpp"})]
    found = draw([placed], settings, tmp_path / "a")
    assert [found.drop_reason(row, place) for place, row in placed] == [None, "not drawn"]
    other = draw([placed], config(by="language", counts={"py*": 1}), tmp_path / "b")
    assert other.drop_reason(placed[1][1], "b") == "of no group of the draw"


def test_the_keys_that_are_kept_do_not_grow_with_the_rows(tmp_path: Path) -> None:
    sizes = []
    for count in (5_000, 20_000):
        keys = KeyWriter(config())
        for place, row in rows(count):
            keys.add(row, place)
        keys.save(tmp_path / "keys.npz")
        sizes.append((tmp_path / "keys.npz").stat().st_size)
    assert sizes[0] == sizes[1]


def test_keys_that_are_missing_damaged_or_of_another_draw_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no keys of a draw"):
        combine_keys(tmp_path, config())
    draw([rows(100)], config(), tmp_path)
    with pytest.raises(DataError, match="keys of another draw"):
        combine_keys(tmp_path, config(seed=2))
    file = tmp_path / "00000.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=r"00000\.npz.*damaged keys"):
        combine_keys(tmp_path, config())


def test_a_row_without_the_groups_or_the_keys_column_is_an_error() -> None:
    with pytest.raises(DataError, match="no column '@path'"):
        KeyWriter(config()).add({"id": 1}, "a:1")
    with pytest.raises(DataError, match="no column 'id'"):
        KeyWriter(config(key="id")).add({"@path": "a"}, "a:1")


def identities(placed: Sequence[Placed], places: set[str]) -> set[str]:
    return {row["id"] for place, row in placed if place in places}


def chi_square(bins: Any, count: int, there: int) -> float:
    """Statistic of 100 equal bins, corrected for a draw without replacement (99 degrees of freedom)."""
    observed = np.bincount(bins, minlength=100)
    expected = count / 100
    return float(((observed - expected) ** 2).sum() / expected / (1 - count / there))
