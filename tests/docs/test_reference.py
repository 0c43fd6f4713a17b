"""The generated pages name every key, command and error class, and say what they are."""

from __future__ import annotations

import re
from typing import Any

import commands as command_pages
import exit_codes
import pytest
import recipe_keys
import rooms
import typer
from pydantic import BaseModel

from prism.cli import app
from prism.errors import Requeue
from prism.recipe import Recipe
from prism.recipe.schema.cluster import ClusterConfig

KEYS = recipe_keys.pages()
COMMANDS = command_pages.pages()[command_pages.PAGE]
ERRORS = exit_codes.pages()[exit_codes.PAGE]


def row(page: str, key: str) -> str:
    return next(line for line in page.splitlines() if f"</span>`{key}` |" in line)


@pytest.mark.parametrize("key", Recipe.model_fields)
def test_every_section_is_in_the_index(key: str) -> None:
    assert f"`{key}`" in KEYS["reference/recipe/index.md"]


@pytest.mark.parametrize("key", [key for key in Recipe.model_fields if f"reference/recipe/{key}.md" in KEYS])
def test_every_key_below_a_section_is_on_its_page_once(key: str) -> None:
    page = KEYS[f"reference/recipe/{key}.md"]
    wanted = [f"`{name}`" for model in models_below(Recipe.model_fields[key].annotation) for name in names(model)]
    found = re.findall(r"</span>(`\w+`) \|", page)
    assert sorted(found) == sorted(wanted)


def names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def models_below(annotation: Any) -> list[type[BaseModel]]:
    """Models in an annotation and in their fields, each once; by another way than the generator's."""
    found: dict[type[BaseModel], None] = {}
    waiting = [annotation]
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            if one not in found:
                found[one] = None
                waiting += [field.annotation for field in one.model_fields.values()]
        else:
            waiting += [part for part in getattr(one, "__args__", ()) if part is not Ellipsis]
    return list(found)


def test_a_key_has_its_type_bounds_default_and_description() -> None:
    page = KEYS["reference/recipe/cluster.md"]
    description = ClusterConfig.model_fields["tensor_parallel"].description
    assert row(page, "tensor_parallel").endswith(f"| whole number > 0 | `1` | {description} |")
    assert "| true or false | `false` |" in row(page, "sequence_parallel")
    assert "| `none`, `selective`, `full` | `none` |" in row(page, "recompute")


def test_a_key_has_an_anchor_of_its_path() -> None:
    assert '<span id="cluster.slurm.partition"></span>' in KEYS["reference/recipe/cluster.md"]


def leaves(name: str, command: Any) -> list[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    return [leaf for child in children for leaf in leaves(f"{name} {child}", children[child])] or [(name, command)]


@pytest.mark.parametrize(
    ("name", "command"), leaves("prism", typer.main.get_command(app)), ids=lambda value: str(value)
)
def test_every_command_has_its_options_and_an_example(name: str, command: Any) -> None:
    start = COMMANDS.index(f"`{name}` {{ #")
    section = COMMANDS[start : COMMANDS.find("\n##", start) if COMMANDS.find("\n##", start) > 0 else None]
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.hidden and parameter.name != "help":
            assert f"`{parameter.opts[0]}`" in section
    assert "```\nprism " in section


def test_every_error_class_is_there_with_the_code_it_leaves_with() -> None:
    rows = {name: int(code) for name, code in re.findall(r"^\| `([\w.]+)` \| (\d+) \|", ERRORS, re.MULTILINE)}
    assert rows["prism.errors.Requeue"] == Requeue.exit_code
    assert rows["prism.formats.step_state.Damaged"] == 4  # inherited
    assert {name.rpartition(".")[2] for name in rows} >= {"RecipeErrors", "RunFailed", "NotSent", "DiskFull"}


def test_every_exit_code_of_an_error_class_is_explained() -> None:
    assert {error.code for error in exit_codes.error_classes()} <= set(exit_codes.MEANINGS)


def test_every_room_has_a_page_with_its_public_modules() -> None:
    pages = rooms.pages()
    assert "::: prism.recipe.load" in pages["reference/python/prism.recipe.md"]
    assert "::: data_prep.schema" in pages["reference/python/data_prep.md"]
    assert "prism.commands" not in "".join(pages)
