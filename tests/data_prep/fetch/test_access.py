"""Gated sets, tokens, licences, and nodes without a network."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from data_prep.errors import DataError
from data_prep.fetch import FetchRequest, copy_source, fetch_source, plan_source
from tests.data_prep.fetch.mini_hub import MiniHub

TOKEN = "hf_rightTokenOfTheTest"
GATED = FetchRequest("gate", "acme/gate", licence="RAIL", licence_url="https://example.org/rail", gated=True)
FILES = {"data/a.parquet": b"a" * 5_000, "b.jsonl": b"{}\n"}


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize(
    ("token", "why"), [(None, "HF_TOKEN isn't set"), ("hf_wrongOne", "account hasn't accepted its licence")]
)
def test_a_gated_set_says_where_its_licence_is_accepted(
    hub: MiniHub, token: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("acme/gate", FILES, token=TOKEN)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(DataError) as caught:
        fetch_source(GATED, tmp_path, log=quiet)
    text = str(caught.value)
    assert caught.value.exit_code == 4
    for part in ("gate (", why, "RAIL", "https://example.org/rail", f"{hub.endpoint}/datasets/acme/gate", "HF_TOKEN"):
        assert part in text
    assert "hf_wrongOne" not in text
    assert caught.value.__cause__ is None


def test_a_gated_set_comes_with_the_token_and_the_token_stays_with_the_hub(
    hub: MiniHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.add("acme/gate", FILES, token=TOKEN)
    monkeypatch.setenv("HF_TOKEN", TOKEN + "\n")
    fetch_source(GATED, tmp_path, log=print)
    asked = hub.requests
    assert {one.authorization for one in asked if "/resolve/" in one.path} == {f"Bearer {TOKEN}"}
    assert {one.authorization for one in asked if one.path.startswith("/cdn/")} == {None}
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    printed = capfd.readouterr()
    assert TOKEN not in written + printed.out + printed.err


@pytest.mark.parametrize("token", ["hf_a b", "hf_ä", "hf_a\nb"])
def test_a_mangled_token_is_refused_without_being_shown(
    hub: MiniHub, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(DataError, match="HF_TOKEN holds a character that no token has") as caught:
        fetch_source(GATED, tmp_path, log=quiet)
    assert token not in str(caught.value)


def test_the_licence_is_shown_before_the_first_byte(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/gate", FILES)
    shown: list[int] = []

    def log(line: str) -> None:
        if "licence RAIL (https://example.org/rail), gated" in line:
            shown.append(sum("/resolve/" in asked.path for asked in hub.requests))

    fetch_source(GATED, tmp_path, log=log)
    assert shown == [0]


@pytest.mark.parametrize("by", ["option", "environment"])
def test_offline_nothing_is_asked_and_the_way_to_bring_the_set_is_shown(
    hub: MiniHub, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("acme/gate", FILES)
    offline = by == "option"
    if not offline:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=r"not fetched: acme/gate at main, files \*") as caught:
        fetch_source(GATED, tmp_path, log=quiet, offline=offline)
    assert f"prism data fetch RECIPE --source gate --to {tmp_path}" in str(caught.value)
    assert plan_source(GATED, tmp_path, offline=offline).commit is None
    assert hub.requests == []


def test_offline_what_is_missing_is_named_by_file(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/gate", FILES)
    fetch_source(GATED, tmp_path, log=quiet)
    hub.requests.clear()
    assert fetch_source(GATED, tmp_path, log=quiet, offline=True).already
    (tmp_path / "gate/data/a.parquet").write_bytes(b"a")
    with pytest.raises(DataError, match=r"1 of 2 files aren't complete \(5 kB\): data/a.parquet"):
        fetch_source(GATED, tmp_path, log=quiet, offline=True)
    with pytest.raises(DataError, match=r"1 of 2 files aren't complete \(5 kB\): data/a.parquet"):
        copy_source(GATED, tmp_path, tmp_path / "node", log=quiet)
    assert hub.requests == []


def test_a_hub_that_is_not_there_is_an_error_that_says_so(
    hub: MiniHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(DataError, match="the hub can't be reached") as caught:
            fetch_source(GATED, tmp_path, log=quiet)
    assert "on a login node" in str(caught.value)
