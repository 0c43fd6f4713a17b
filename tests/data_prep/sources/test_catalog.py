"""Cards: defaults of a source, and parts."""

from __future__ import annotations

import pytest

from data_prep.errors import UsageError
from data_prep.schema import SourceConfig
from data_prep.sources.catalog import card, cards, part_configs

TABLE_1 = {
    "dclm_edu": 111.46, "mot_math": 0.60, "nemotron_math": 35.93, "megamath_web_pro": 14.73, "mot_code": 1.18,
    "open_code_reasoning_2": 1.12, "refine_code": 186.44, "starcoder2": 432.73, "mot_science": 0.42,
    "openthoughts3_science": 0.73, "chat": 0.91,
}  # fmt: skip


@pytest.mark.parametrize("name", cards())
def test_every_card_is_a_valid_source_with_what_it_is_and_its_licence(name: str) -> None:
    source = card(name)
    assert source.description and source.licence != "unknown" and source.licence_url
    assert source.parts or (source.hub and source.columns and source.hub_files != ("*",))


@pytest.mark.parametrize(("name", "tokens"), TABLE_1.items())
def test_the_papers_sources_have_the_tokens_of_table_1(name: str, tokens: float) -> None:
    assert card(name).tokens_billion == tokens


def test_a_recipe_overrides_any_key_of_a_card() -> None:
    source = SourceConfig(card="dclm_edu", path="x", keep=[{"column": "edu_score", "at_least": 3}], domain="web")
    assert (source.hub, source.domain, source.keep[0].column) == ("HuggingFaceTB/dclm-edu", "web", "edu_score")


def test_an_unknown_card_is_an_error_that_names_a_near_one() -> None:
    with pytest.raises(UsageError, match=r"no card named 'dclm_eduu'.*use dclm_edu"):
        SourceConfig(card="dclm_eduu")


def test_the_parts_of_a_source_lie_in_folders_of_their_names_and_take_its_bookkeeping() -> None:
    whole = SourceConfig(card="chat", path="data/chat/", dedup="exact", holdout=0.1, min_tokens=5, bad_rows="drop")
    parts = part_configs(whole, "chat")
    assert list(parts) == list(card("chat").parts)
    for name, part in parts.items():
        assert part.path == f"data/chat/{name}"
        assert part.format == "chat" and part.hub == card(name).hub
        assert (part.domain, part.dedup, part.holdout, part.min_tokens, part.bad_rows) == (
            "chat",
            "exact",
            0.1,
            5,
            "drop",
        )
    assert parts["wildchat_1m"].keep == card("wildchat_1m").keep


def test_a_source_without_parts_is_its_only_part() -> None:
    source = SourceConfig(card="codex", path="x")
    assert part_configs(source, "mine") == {"mine": source}
