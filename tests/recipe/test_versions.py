"""An older file is migrated step by step; an unknown one names the release that reads it."""

from __future__ import annotations

import pytest

from prism.errors import BadInput, RecipeError
from prism.recipe.versions import CHECKPOINT, MANIFEST, RECIPE, Format

_THREE = Format(
    "thing",
    3,
    {1: lambda old: {"name": old["title"]}, 2: lambda old: {"names": [old["name"]]}},
)


@pytest.mark.parametrize(
    "content",
    [
        {"schema_version": 1, "title": "a"},
        {"schema_version": 2, "name": "a"},
        {"schema_version": 3, "names": ["a"]},
    ],
)
def test_older_content_becomes_the_current_form(content: dict[str, object]) -> None:
    assert _THREE.migrate(content, "file") == {"schema_version": 3, "names": ["a"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"schema_version": 4}, "schema_version 4, this release reads 3 of a thing.*use a later release"),
        ({"schema_version": 4, "release": "9.1"}, "use prism-megatron 9.1, which wrote it"),
        ({"schema_version": 0}, "schema_version 0"),
        ({"schema_version": True}, "schema_version True"),
        ({}, "schema_version None.*restore it"),
        ([], "isn't a thing"),
    ],
)
def test_other_content_is_refused_in_words(content: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _THREE.migrate(content, "file")


def test_the_error_is_the_callers() -> None:
    with pytest.raises(RecipeError, match="place: schema_version 9"):
        RECIPE.migrate({"schema_version": 9}, "place", RecipeError)


@pytest.mark.parametrize("known", [RECIPE, MANIFEST, CHECKPOINT])
def test_every_version_since_the_first_is_read(known: Format) -> None:
    assert sorted(known.migrations) == list(range(1, known.version))
