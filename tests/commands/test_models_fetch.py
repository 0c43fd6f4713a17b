"""`prism models fetch` and `verify`, against a hub on 127.0.0.1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from data_prep.errors import DataError, DiskFull
from data_prep.fetch import transfer
from prism.commands import models
from prism.errors import BadInput, UsageError
from tests.data_prep.fetch.mini_hub import MiniHub, mini_hub

ROOT = Path(__file__).parents[2]
TOKEN = "hf_rightTokenOfTheTest"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "generation_config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors.index.json": json.dumps({"weight_map": dict(zip("ab", SHARDS, strict=True))}).encode(),
    SHARDS[0]: b"a" * 9_000,
    SHARDS[1]: b"b" * 7_000,
    "LICENSE": b"ours",
    "README.md": b"# card",
    "pytorch_model.bin": b"pickle",
    "modeling_mine.py": b"import os",
    "original/consolidated.00.pth": b"pickle",
    "consolidated.safetensors": b"again",
}
WANTED = {"config.json", "generation_config.json", "tokenizer.json", "model.safetensors.index.json", *SHARDS, "LICENSE"}

RECIPE = """
schema_version: 2
extends: {models}
run: {{name: mine}}
pipeline:
  base:
    stage: import
    with: {{path: {folder}, hub: acme/mine, revision: {revision}}}
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[MiniHub]:
    with mini_hub() as served:
        served.lfs = (".safetensors", ".bin")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "mine"


def write(folder: Path, revision: str = "main") -> str:
    path = folder.parents[1] / "mine.yaml"
    models_path = ROOT / "recipes/models/miniature_dense.yaml"
    path.write_text(RECIPE.format(models=models_path, folder=folder, revision=revision))
    return str(path)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(models.app, list(arguments))


def fetched(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_weights_configuration_and_tokenizer_come_and_neither_pickles_nor_code(hub: MiniHub, folder: Path) -> None:
    commit = hub.add("acme/mine", FILES)
    result = call("fetch", write(folder))
    assert result.exit_code == 0, result.exception
    assert fetched(folder) == {*WANTED, ".fetched.json", ".fetch.lock"}
    assert f"main is {commit}" in result.output
    record = json.loads((folder / ".fetched.json").read_text())
    assert (record["hub"], record["revision"], record["commit"]) == ("acme/mine", "main", commit)
    assert {file["path"]: file["size"] for file in record["files"]}[SHARDS[0]] == 9_000
    assert all(len(file["sha256"]) == 64 for file in record["files"])


def test_a_commit_stays_what_it_is_when_the_branch_moves(hub: MiniHub, folder: Path) -> None:
    commit = hub.add("acme/mine", FILES)
    hub.add("acme/mine", {**FILES, SHARDS[0]: b"c" * 9_000})
    result = call("fetch", write(folder, commit))
    assert result.exit_code == 0, result.exception
    assert (folder / SHARDS[0]).read_bytes() == FILES[SHARDS[0]]
    assert "state that as its revision" not in result.output


def test_a_fetch_that_broke_goes_on_within_the_file(hub: MiniHub, folder: Path) -> None:
    hub.add("acme/mine", FILES)
    hub.served_instead["config.json"] = b"a proxy's page"  # fails the first fetch when the rest is there
    assert isinstance(call("fetch", write(folder)).exception, DataError)
    del hub.served_instead["config.json"]
    hub.requests.clear()
    result = call("fetch", write(folder))
    assert result.exit_code == 0, result.exception
    assert hub.downloads(SHARDS[0]) == []


def test_verify_names_what_changed_and_a_second_fetch_brings_it_alone(hub: MiniHub, folder: Path) -> None:
    hub.add("acme/mine", FILES)
    assert call("fetch", write(folder)).exit_code == 0
    assert "as it was fetched" in call("verify", str(folder)).output
    (folder / SHARDS[1]).write_bytes(b"B" * 7_000)
    result = call("verify", str(folder))
    assert isinstance(result.exception, BadInput)
    assert f"{SHARDS[1]}: changed: another SHA-256" in result.output
    (folder / SHARDS[1]).unlink()
    hub.requests.clear()
    assert call("fetch", write(folder)).exit_code == 0
    assert {asked.path for asked in hub.requests if "/cdn/" in asked.path} == {hub.downloads(SHARDS[1])[0].path}
    assert call("verify", str(folder)).exit_code == 0


def test_nodes_without_network_check_what_is_there_and_are_told_what_to_call(hub: MiniHub, folder: Path) -> None:
    hub.add("acme/mine", FILES)
    recipe = write(folder)
    result = call("fetch", recipe, "--offline")
    assert isinstance(result.exception, DataError)
    assert "prism models fetch RECIPE" in str(result.exception) and "login node" in str(result.exception)
    assert hub.requests == []
    assert call("fetch", recipe).exit_code == 0
    hub.requests.clear()
    assert call("fetch", recipe, "--offline").exit_code == 0
    node = folder.parents[1] / "node"
    assert call("fetch", recipe, "--from", str(folder.parent), "--to", str(node)).exit_code == 0
    assert fetched(node / "mine") >= WANTED
    assert hub.requests == []


@pytest.mark.parametrize(("token", "why"), [(None, "HF_TOKEN isn't set"), ("hf_other", "hasn't accepted its licence")])
def test_a_gated_model_says_where_its_licence_is_accepted(
    hub: MiniHub, folder: Path, monkeypatch: pytest.MonkeyPatch, token: str | None, why: str
) -> None:
    hub.add("acme/mine", FILES, token=TOKEN)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    error = str(call("fetch", write(folder)).exception)
    assert "the model is gated" in error and why in error
    assert f"accept the licence at {hub.endpoint}/acme/mine, then set HF_TOKEN" in error
    assert "hf_other" not in error


def test_a_token_is_neither_printed_nor_written(hub: MiniHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("acme/mine", FILES, token=TOKEN)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    result = call("fetch", write(folder))
    assert result.exit_code == 0, result.exception
    written = "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())
    assert TOKEN not in written + result.output


def test_a_disk_that_is_too_small_is_told_before_a_byte_comes(
    hub: MiniHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("acme/mine", FILES)
    usage: Any = shutil.disk_usage("/")
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage._replace(free=10_000))
    error = call("fetch", write(folder)).exception
    assert isinstance(error, DiskFull) and error.exit_code == 5
    assert not any("/resolve/" in asked.path for asked in hub.requests)


def test_a_model_with_pickled_weights_alone_is_refused(hub: MiniHub, folder: Path) -> None:
    hub.add("acme/mine", {name: FILES[name] for name in ("config.json", "tokenizer.json", "pytorch_model.bin")})
    error = call("fetch", write(folder)).exception
    assert isinstance(error, BadInput)
    assert "pickled weights are never read" in str(error)
    assert not (folder / "pytorch_model.bin").exists()


def test_a_dry_run_says_commit_and_size_and_brings_nothing(hub: MiniHub, folder: Path) -> None:
    commit = hub.add("acme/mine", FILES)
    result = call("fetch", write(folder), "--dry-run")
    assert f"acme/mine at {commit}, {len(WANTED)} files" in result.output
    assert not folder.exists()


def test_a_revision_or_a_stage_that_is_not_there_is_named(hub: MiniHub, folder: Path) -> None:
    hub.add("acme/mine", FILES)
    assert "no revision 'v9'" in str(call("fetch", write(folder, "v9")).exception)
    error = call("fetch", write(folder), "--stage", "bass").exception
    assert isinstance(error, UsageError) and "isn't an import stage" in str(error)
    assert "names a model of the hub" in str(call("fetch", "miniature").exception)


def test_a_folder_that_was_not_fetched_is_told(tmp_path: Path) -> None:
    assert "no .fetched.json" in str(call("verify", str(tmp_path)).exception)


@pytest.mark.parametrize("name", ["llama_3_1_8b", "mistral_7b", "nemotron_h_8b", "granite_4_h_micro"])
def test_the_papers_models_are_named_by_hub_id_and_commit(name: str) -> None:
    from prism.models.fetch import model_requests
    from prism.recipe import load_recipe

    (request,) = model_requests(load_recipe(f"{name}/math"))
    assert "/" in request.hub
    assert len(request.revision) == 40
    assert request.name == name
