"""An older file is migrated step by step; an unknown one names the release that reads it."""

from __future__ import annotations

import pytest

from prism.errors import BadInput, RecipeError
from prism.recipe.versions import CHECKPOINT, MANIFEST, RECIPE, Format, current_recipe, current_section

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


def test_a_recipe_of_a_later_release_names_who_reads_it() -> None:
    with pytest.raises(
        RecipeError, match=r"mine:2: schema_version 3, this release reads 2.*one whose recipe schema is 3"
    ):
        current_recipe({"schema_version": 3}, "mine:2")


def test_a_fragment_states_no_version_before_or_after() -> None:
    assert current_recipe({"rl": {"aligner": {"account": "us"}}}, "here") == {"cluster": {"slurm": {"account": "us"}}}


def test_a_current_recipe_is_not_migrated() -> None:
    """So that a moved key in it is told as an unknown one."""
    recipe = {"schema_version": 2, "rl": {"aligner": {"account": "us"}}}
    assert current_recipe(recipe, "here") == recipe


def test_what_a_manifest_remembers_of_an_older_recipe_is_what_a_current_one_would_say() -> None:
    old = {"rl": {"steps": 3, "placement": {"mode": "colocated", "gpu_memory_gib": 79.0}}, "run": {"seed": 1}}
    assert current_section(old) == {"rl": {"steps": 3, "placement": {"mode": "colocated"}}, "run": {"seed": 1}}
    assert current_section({"schema_version": 1, "model": {}}) == {"model": {}}
