"""`prism recipes migrate` on files."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from prism.commands import recipes
from prism.errors import RecipeError
from prism.recipe import load_recipe

OLD = """\
schema_version: 1
extends: llama_3_1_8b/math.yaml
rl:
  placement: {gpu_memory_gib: 60}  # shared with others
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(OLD)
    (tmp_path / "sweep.yaml").write_text("schema_version: 1\nrecipe: mine\nfigures: {a: 1}\nmembers: {a: {}}\n")
    return path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(recipes.app, ["migrate", *arguments])


def test_by_default_it_shows_what_would_change_and_changes_nothing(old: Path) -> None:
    result = call(str(old))
    assert result.exit_code == 0, result.exception
    assert "-schema_version: 1\n+schema_version: 2" in result.output
    assert "+  device_memory_gib: 60" in result.output
    assert old.read_text() == OLD


def test_check_fails_while_something_is_old_and_writing_mends_it(old: Path) -> None:
    before = load_recipe(old)
    folder = str(old.parent)
    assert call(folder, "--check").exit_code == 1
    assert call(folder, "--write").exit_code == 0
    assert "# shared with others" in old.read_text()
    assert load_recipe(old) == before
    assert before.cluster.device_memory_gib == 60
    result = call(folder, "--check")
    assert result.exit_code == 0
    assert "all are of this release's schema version" in result.output
    assert "schema_version: 1" in (old.parent / "sweep.yaml").read_text()  # of the sweep's own schema


def test_a_recipe_of_a_later_release_is_refused_with_its_line(old: Path) -> None:
    old.write_text("\nschema_version: 3\n")
    result = call(str(old))
    assert isinstance(result.exception, RecipeError)
    assert f"{old}:2: schema_version 3, this release reads 2" in str(result.exception)


def test_the_packaged_recipes_are_of_this_release() -> None:
    from prism.recipe.compose import RECIPES

    result = call(str(RECIPES), "--check")
    assert result.exit_code == 0, result.output
