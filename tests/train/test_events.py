"""Changes of blend that happen while a stage trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import read_json
from prism.megatron.parallel import Layout, process_groups
from prism.recipe import MidtrainConfig
from prism.train.events import Events

CONFIG = MidtrainConfig(blend="math", blend_changes={20: "code", 40: "science"}, steps=60, global_batch_size=4)


@pytest.fixture(autouse=True)
def alone() -> object:
    with process_groups(Layout(), seed=1):
        yield


def test_without_an_event_the_recipe_rules(tmp_path: Path) -> None:
    assert Events(tmp_path / "events.json").samples(CONFIG) == CONFIG.run_samples


def test_a_switch_takes_the_rest_of_the_stage(tmp_path: Path) -> None:
    events = Events(tmp_path / "events.json")
    events.switch(30, "general", "base skill was lost")
    assert events.samples(CONFIG).blends == ((0, "math"), (80, "code"), (120, "general"))
    assert read_json(tmp_path / "events.json") == events.plain()


def test_what_a_checkpoint_kept_is_replayed_and_later_events_are_forgotten(tmp_path: Path) -> None:
    events = Events(tmp_path / "events.json")
    events.switch(10, "general", "once")
    kept = events.plain()
    events.switch(50, "math", "twice")
    again = Events(tmp_path / "events.json")
    again.restore(kept)
    assert again.samples(CONFIG).blends == ((0, "math"), (40, "general"))
    assert read_json(tmp_path / "events.json") == kept


def test_a_switch_after_the_last_step_changes_nothing(tmp_path: Path) -> None:
    events = Events(tmp_path / "events.json")
    events.switch(60, "general", "too late")
    assert events.samples(CONFIG).blends == CONFIG.run_samples.blends
