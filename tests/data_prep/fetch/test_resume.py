"""Connections that break, processes that are killed, processes that come together."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.errors import DataError
from data_prep.fetch import FetchRequest, copy_source, fetch_source
from tests.data_prep.fetch.mini_hub import MiniHub

CHUNK = 10 << 20
"""Bytes that the hub's library writes at a time: what came of an unfinished one is lost."""

SET = FetchRequest("set", "acme/set", licence="MIT")
ROOT = Path(__file__).parents[3]


def big(seed: int, size: int = 2 * CHUNK + 12_345) -> bytes:
    return random.Random(seed).randbytes(size)


def wait_for_part(folder: Path, size: int) -> Path:
    """The unfinished file, once it has `size` bytes."""
    while True:
        for part in folder.glob(".fetch/*.part"):
            if part.stat().st_size >= size:
                return part


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.data_prep.fetch.child", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def moved(process: subprocess.Popen[str]) -> int:
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    return int(printed.split()[-1])


def quiet(_: str) -> None:
    pass


def test_a_download_whose_connection_ends_early_goes_on_where_it_ended(hub: MiniHub, tmp_path: Path) -> None:
    content = big(1)
    hub.add("acme/set", {"a.bin": content})
    hub.drop_once("a.bin", CHUNK + 99_999)
    fetch_source(SET, tmp_path, log=quiet)
    assert (tmp_path / "set/a.bin").read_bytes() == content
    assert [asked.range for asked in hub.downloads("a.bin")] == [None, f"bytes={CHUNK}-"]


def test_a_download_whose_connection_is_reset_goes_on_where_it_broke(hub: MiniHub, tmp_path: Path) -> None:
    content = big(1)
    hub.add("acme/set", {"a.bin": content})
    hub.stall("a.bin", CHUNK + 99_999, reset=True)
    process = start("fetch", "acme/set", str(tmp_path))
    hub.wait_for_stall()
    wait_for_part(tmp_path / "set", CHUNK)
    hub.go_on()
    assert moved(process) == len(content)
    assert (tmp_path / "set/a.bin").read_bytes() == content
    assert [asked.range for asked in hub.downloads("a.bin")] == [None, f"bytes={CHUNK}-"]


def test_a_killed_fetch_goes_on_inside_the_file_and_keeps_its_commit(hub: MiniHub, tmp_path: Path) -> None:
    small, content = b"s" * 1_000, big(2)
    commit = hub.add("acme/set", {"a.bin": content, "small.jsonl": small})
    hub.stall("a.bin", CHUNK + 77_777)
    process = start("fetch", "acme/set", str(tmp_path))
    hub.wait_for_stall()
    part = wait_for_part(tmp_path / "set", CHUNK)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    hub.go_on()
    assert part.stat().st_size == CHUNK
    assert not (tmp_path / "set/.fetched.json").exists()
    hub.add("acme/set", {"a.bin": big(3), "other.jsonl": b"{}"})
    hub.requests.clear()

    assert moved(start("fetch", "acme/set", str(tmp_path))) <= len(content) - CHUNK + len(small)
    assert [asked.range for asked in hub.downloads("a.bin")] == [f"bytes={CHUNK}-"]
    assert (tmp_path / "set/a.bin").read_bytes() == content
    assert json.loads((tmp_path / "set/.fetched.json").read_text())["commit"] == commit
    assert {path.name for path in (tmp_path / "set").iterdir()} == {
        "a.bin", "small.jsonl", ".fetched.json", ".fetch.lock",
    }  # fmt: skip


def test_a_damaged_beginning_is_thrown_away_and_the_file_begun_anew(hub: MiniHub, tmp_path: Path) -> None:
    content = big(4)
    hub.add("acme/set", {"a.bin": content})
    hub.stall("a.bin", CHUNK + 1)
    process = start("fetch", "acme/set", str(tmp_path))
    hub.wait_for_stall()
    part = wait_for_part(tmp_path / "set", CHUNK)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    hub.go_on()
    part.write_bytes(bytes(CHUNK))  # as after a power loss
    report = fetch_source(SET, tmp_path, log=quiet)
    assert (tmp_path / "set/a.bin").read_bytes() == content
    assert report.moved == len(content)


def test_processes_that_call_at_once_fetch_once(hub: MiniHub, tmp_path: Path) -> None:
    files = {f"{number}.bin": big(number, 50_000) for number in range(4)}
    hub.add("acme/set", files)
    hub.stall("0.bin", 1_000)
    processes = [start("fetch", "acme/set", str(tmp_path)) for _ in range(3)]
    hub.wait_for_stall()
    waiting = [process for process in processes if "waiting" in (process.stdout.readline() if process.stdout else "")]
    assert len(waiting) == 2
    hub.go_on()
    assert sorted(moved(process) for process in processes) == [0, 0, 200_000]
    assert all(len(hub.downloads(name)) == 1 for name in files)


def test_a_copy_to_a_node_needs_no_hub_and_is_made_once_by_processes_that_call_at_once(
    hub: MiniHub, tmp_path: Path
) -> None:
    files = {f"data/{number}.bin": big(number, 300_000) for number in range(4)} | {"empty.jsonl": b""}
    hub.add("acme/set", files)
    shared, node = tmp_path / "shared", tmp_path / "node"
    fetch_source(SET, shared, log=quiet)
    hub.requests.clear()
    processes = [start("copy", "acme/set", str(node), str(shared)) for _ in range(3)]
    assert sorted(moved(process) for process in processes) == [0, 0, 1_200_000]
    assert {name: (node / "set" / name).read_bytes() for name in files} == files
    records = [json.loads((folder / "set/.fetched.json").read_text()) for folder in (shared, node)]
    assert records[0]["files"] == records[1]["files"]
    assert fetch_source(SET, node, log=quiet, offline=True).already
    assert hub.requests == []


def test_a_copy_that_the_disk_broke_off_goes_on_where_it_stopped(hub: MiniHub, tmp_path: Path) -> None:
    content = big(7, 400_000)
    hub.add("acme/set", {"a.bin": content})
    shared, node = tmp_path / "shared", tmp_path / "node"
    fetch_source(SET, shared, log=quiet)
    command = f"ulimit -f 200; exec {sys.executable} -m tests.data_prep.fetch.child copy acme/set {node} {shared}"
    broken = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert broken.returncode == 4
    assert "File too large. Remedy: check the disk" in broken.stdout
    assert broken.stderr == ""
    assert copy_source(SET, shared, node, log=quiet).moved == len(content) - 200 * 1024
    assert (node / "set/a.bin").read_bytes() == content


def test_a_copy_finds_a_file_that_was_damaged_on_the_shared_disk(hub: MiniHub, tmp_path: Path) -> None:
    content = big(8, 400_000)
    hub.add("acme/set", {"a.bin": content})
    shared, node = tmp_path / "shared", tmp_path / "node"
    fetch_source(SET, shared, log=quiet)
    damaged = bytearray(content)
    damaged[5] ^= 1
    (shared / "set/a.bin").write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.bin has SHA-256 .*, its record says .*Remedy: delete the file"):
        copy_source(SET, shared, node, log=quiet)
    assert not (node / "set/a.bin").exists()
    assert not (node / "set/.fetched.json").exists()
