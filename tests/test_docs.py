"""The documents name only what exists: files, commands, make targets, recipes; and the code keeps what they promise."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from prism.cli import app
from prism.recipe import Recipe
from prism.recipe.compose import packaged

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md"),
                      *(ROOT / "containers").glob("*.md")]
    if path.is_file()
)  # fmt: skip
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"`([^`\n]+)`|^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


sys.path.append(str(ROOT / "docs" / "_site"))
import commands as command_pages  # noqa: E402  docs/_site is a MkDocs hook, not a package
import exit_codes  # noqa: E402
import recipe_keys  # noqa: E402
import rooms  # noqa: E402

GENERATED = {ROOT / "docs" / name for room in (command_pages, exit_codes, recipe_keys, rooms) for name in room.pages()}


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(page: Path) -> Iterator[str]:
    """Every line of code on the page, inline or in a block."""
    for inline, block in CODE.findall(page.read_text()):
        yield from (inline or block).splitlines()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    files = {target: (page.parent / target).resolve() for target in targets}
    assert [target for target, file in files.items() if not file.exists() and file not in GENERATED] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_on_a_page_exists(page: Path) -> None:
    root = typer.main.get_command(app)
    unknown = []
    for line in code_of(page):
        found = re.match(r"(?:\$ )?(?:\.venv/bin/)?prism ([a-z]+)(?: ([a-z-]+))?", line)
        if found is None:
            continue
        command = root.commands.get(found[1])  # type: ignore[attr-defined]
        group = None if hasattr(command, "for_recipes") else getattr(command, "commands", None)
        if command is None or (group is not None and found[2] is not None and found[2] not in group):
            unknown.append(line)
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {found[1] for line in code_of(page) if (found := re.match(r"make ([a-z-]+)", line))}
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_source_file_on_a_page_exists(page: Path) -> None:
    paths = [
        found[0]
        for line in code_of(page)
        if (found := re.match(r"(?:prism|data_prep|tests|docs|recipes|benchmarks|containers)/[\w./-]+$", line))
    ]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_packaged_recipe_on_a_page_exists(page: Path) -> None:
    composed = [found[1] for line in code_of(page) if (found := re.search(r" ([a-z0-9_]+/[a-z0-9_]+)$", line))]
    folders = {name.partition("/")[0] for name in packaged() if "/" in name}
    assert [name for name in composed if name.partition("/")[0] in folders and name not in packaged()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_key_set_on_a_page_is_in_the_schema(page: Path) -> None:
    schema = Recipe.model_json_schema(by_alias=True)
    keys = [key for line in code_of(page) for key in re.findall(r"--set ([a-z_.]+)=", line)]
    assert [key for key in keys if not _known(schema, key.split("."))] == []


def _known(schema: dict[str, object], keys: list[str]) -> bool:
    definitions: dict[str, dict[str, object]] = schema["$defs"]  # type: ignore[assignment]
    section: dict[str, object] = schema
    for index, key in enumerate(keys):
        properties: dict[str, dict[str, object]] = section.get("properties", {})  # type: ignore[assignment]
        if key not in properties:
            return False
        if "additionalProperties" in properties[key]:
            return True  # names that the recipe gives itself
        names = re.findall(r"'#/\$defs/(\w+)'", repr(properties[key]))
        if not names:
            return index == len(keys) - 1
        section = definitions[names[0]]
    return True


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_yaml_block_on_a_page_is_yaml_with_known_sections(page: Path) -> None:
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        assert set(yaml.safe_load(block)) - {"extends", *Recipe.model_fields} == set()


def test_the_claims_of_the_readme_are_those_of_the_miniature() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    claims = yaml.safe_load((ROOT / "recipes" / "miniature.yaml").read_text())["claims"]
    assert rows == list(claims)


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = {path.name for path in folder.glob("0*.md")}
    assert set(LINK.findall((folder / "README.md").read_text())) == pages


def test_nothing_of_ours_is_unpickled() -> None:
    found = []
    restricted = ROOT / "prism" / "formats" / "safe_metadata.py"  # reads with a list of allowed names; writes metadata
    for path in {*(ROOT / "prism").rglob("*.py"), *(ROOT / "data_prep").rglob("*.py")} - {restricted}:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if _loads_freely(node) or {"pickle", "dill", "cloudpickle", "joblib", "shelve"} & set(modules):
                found.append(f"{page_id(path)}:{node.lineno}")  # type: ignore[attr-defined]
    assert found == []


def _loads_freely(node: ast.AST) -> bool:
    """A call of torch.load without `weights_only=True`."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"):
        return False
    return "weights_only=True" not in [ast.unparse(keyword) for keyword in node.keywords]
