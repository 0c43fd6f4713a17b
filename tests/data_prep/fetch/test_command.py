"""`prism data fetch` on a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from data_prep.errors import UsageError
from data_prep.fetch import requests_of
from data_prep.schema import DataConfig
from prism.commands.data import fetch
from prism.errors import BadInput
from tests.data_prep.fetch.mini_hub import MiniHub

ROOT = Path(__file__).parents[3]

RECIPE = """
schema_version: 1
extends: {models}
run: {{name: mine}}
data:
  root: {root}
  sources:
    web: {{hub: acme/web, licence: ODC-BY, hub_files: ["*.jsonl"]}}
    gate: {{hub: acme/gate, licence: RAIL, gated: true}}
    streamed: {{hub: acme/big, path: "hf://datasets/acme/big"}}
    own: {{path: own/*.jsonl}}
"""


@pytest.fixture
def recipe(hub: MiniHub, tmp_path: Path) -> Path:
    hub.add("acme/web", {"a.jsonl": b'{"text": "a"}\n', "README.md": b"web"})
    hub.add("acme/gate", {"b.jsonl": b"{}\n"}, token="hf_right")
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE.format(root=tmp_path / "data", models=ROOT / "recipes/models/miniature_dense.yaml"))
    return path


def call(recipe: Path, *arguments: str) -> Result:
    app = typer.Typer()
    fetch.register(app)
    return CliRunner().invoke(app, [str(recipe), *arguments])


def test_the_sets_of_a_recipe_come_into_its_folders(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    result = call(recipe)
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "data/web/a.jsonl").is_file()
    assert (tmp_path / "data/gate/b.jsonl").is_file()
    assert not (tmp_path / "data/web/README.md").exists()
    assert "licence ODC-BY" in result.output
    assert "next: prism data prepare" in result.output
    assert "hf_right" not in result.output


def test_a_set_that_cannot_be_had_does_not_keep_the_others_away(recipe: Path, tmp_path: Path) -> None:
    result = call(recipe)
    assert isinstance(result.exception, BadInput)
    assert result.exception.exit_code == 4
    assert "gate" in str(result.exception)
    assert (tmp_path / "data/web/a.jsonl").is_file()


def test_a_set_goes_from_a_shared_disk_to_a_node(recipe: Path, hub: MiniHub, tmp_path: Path) -> None:
    assert call(recipe, "--source", "web").exit_code == 0
    hub.requests.clear()
    node = tmp_path / "node"
    result = call(recipe, "--source", "web", "--from", str(tmp_path / "data"), "--to", str(node), "--offline")
    assert result.exit_code == 0, result.exception
    assert (node / "web/a.jsonl").is_file()
    assert f"--set data.root={node}" in result.output
    assert hub.requests == []


def test_a_set_comes_to_the_folder_that_the_recipe_reads(recipe: Path, tmp_path: Path) -> None:
    elsewhere, node = tmp_path / "elsewhere", tmp_path / "node"
    arguments = ("--source", "web", "--set", f"data.sources.web.path={elsewhere}")
    result = call(recipe, *arguments)
    assert result.exit_code == 0, result.exception
    assert (elsewhere / "a.jsonl").is_file()
    assert not (tmp_path / "data").exists()
    result = call(recipe, *arguments, "--to", str(node))
    assert (node / "web/a.jsonl").is_file()
    assert f"--set data.sources.web.path={node}/web" in result.output
    assert "data.root" not in result.output


def test_two_sets_in_one_folder_are_refused_before_a_byte_comes(recipe: Path, hub: MiniHub, tmp_path: Path) -> None:
    shared = [f"data.sources.{name}.path={tmp_path / 'one'}" for name in ("web", "gate")]
    result = call(recipe, "--set", shared[0], "--set", shared[1])
    assert isinstance(result.exception, UsageError)
    assert "web and gate want different files" in str(result.exception)
    assert hub.requests == []


def test_a_dry_run_of_a_copy_asks_the_other_disk_only(recipe: Path, hub: MiniHub, tmp_path: Path) -> None:
    arguments = ("--source", "web", "--from", str(tmp_path / "data"), "--to", str(tmp_path / "node"), "--dry-run")
    result = call(recipe, *arguments)
    assert "not fetched: acme/web" in str(result.exception)
    assert hub.requests == []
    assert call(recipe, "--source", "web").exit_code == 0
    hub.requests.clear()
    result = call(recipe, *arguments)
    assert result.exit_code == 0, result.exception
    assert result.output.splitlines()[1].split()[-4:] == ["14", "bytes", "14", "bytes"]
    assert hub.requests == []
    assert not (tmp_path / "node").exists()


def test_a_dry_run_lists_and_fetches_nothing(recipe: Path, tmp_path: Path) -> None:
    result = call(recipe, "--dry-run")
    assert result.exit_code == 0, result.exception
    rows = {line.split()[0]: line for line in result.output.splitlines()}
    assert all(part in rows["web"] for part in ("acme/web", "main", "ODC-BY", "no", "14 bytes"))
    assert all(part in rows["gate"] for part in ("acme/gate", "RAIL", "yes", "3 bytes"))
    assert "read from hf://datasets/acme/big" in rows["streamed"]
    assert "not on the hub" in rows["own"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "error"),
    [("wbe", "use web"), ("own", "names no data set of the hub"), ("streamed", "isn't a folder to fetch to")],
)
def test_a_source_that_cannot_be_fetched_is_named(recipe: Path, name: str, error: str) -> None:
    result = call(recipe, "--source", name)
    assert isinstance(result.exception, UsageError)
    assert error in str(result.exception)


def test_a_source_of_parts_is_a_set_a_part_and_its_lookups_come_with_it() -> None:
    data = DataConfig(sources={"chat": {"card": "chat"}, "ocr": {"card": "open_code_reasoning_2"}})
    found = {request.name: request for request in requests_of(data)}
    assert found["chat/wildchat_1m"].hub == "allenai/WildChat-1M"
    assert found["chat/ultrachat_200k"].patterns == ("data/train_sft-*.parquet",)
    assert found["ocr"].hub == "nvidia/OpenCodeReasoning-2"
    assert found["ocr/lookup/taco"].hub == "BAAI/TACO"
    assert found["ocr/lookup/taco"].source == "ocr"
    assert {name.partition("/")[0] for name in found} == {"chat", "ocr"}
    assert [request.name for request in requests_of(data, ["chat"])] == [n for n in found if n.startswith("chat/")]
