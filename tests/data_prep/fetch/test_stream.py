"""hf:// addresses read from the hub without fetching first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from huggingface_hub import HfFileSystem

from tests.data_prep.fetch.mini_hub import MiniHub

ROOT = Path(__file__).parents[3]
LINES = b'{"text": "one"}\n{"text": "two"}\n'

READ = """
from pathlib import Path
from data_prep.read.files import open_file, source_files
from data_prep.schema import SourceConfig

for file in source_files(SourceConfig(path="hf://datasets/acme/set@{commit}/data"), Path(".")):
    with open_file(file.address) as handle:
        print(file.name, file.size, handle.read())
"""


ROWS = """
from pathlib import Path
from data_prep.errors import DataError
from data_prep.read import read_rows
from data_prep.schema import SourceConfig

try:
    for place, values in read_rows(SourceConfig(path="{path}"), Path(".")):
        print(place.rpartition("/")[2], values["text"])
except DataError as error:
    print(error)
"""


def read_rows(hub: MiniHub, path: str, token: str | None = None) -> list[str]:
    """What a process prints of the rows behind an address."""
    done = subprocess.run(
        [sys.executable, "-c", ROWS.replace("{path}", path)],
        cwd=ROOT,
        env={**os.environ, **hub.environment(token)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_rows_of_a_file_at_a_commit_are_streamed(hub: MiniHub) -> None:
    commit = hub.add("acme/set", {"file.jsonl": LINES})
    hub.add("acme/set", {"file.jsonl": b"{}\n"})
    found = read_rows(hub, f"hf://datasets/acme/set@{commit}/file.jsonl")
    assert found == ["file.jsonl:1 one", "file.jsonl:2 two"]


def test_rows_of_a_gated_set_are_streamed_with_the_token_only(hub: MiniHub) -> None:
    hub.add("acme/gate", {"file.jsonl": LINES}, token="hf_right")
    assert len(read_rows(hub, "hf://datasets/acme/gate/file.jsonl", "hf_right")) == 2
    refused = read_rows(hub, "hf://datasets/acme/gate/file.jsonl")
    assert "acme/gate" in refused[0]
    assert "Remedy" in refused[-1]


def test_a_file_is_streamed_at_a_commit_and_from_its_middle(hub: MiniHub) -> None:
    commit = hub.add("acme/set", {"file.jsonl": LINES, "big.bin": bytes(range(256)) * 100})
    hub.add("acme/set", {"file.jsonl": b"{}\n"})
    system = HfFileSystem(endpoint=hub.endpoint, token=False)
    with system.open(f"hf://datasets/acme/set@{commit}/file.jsonl", "rb") as handle:
        assert list(handle) == LINES.splitlines(keepends=True)
    with system.open(f"datasets/acme/set@{commit}/big.bin", "rb", block_size=1_000) as handle:
        handle.seek(25_000)
        assert handle.read(10) == (bytes(range(256)) * 100)[25_000:25_010]
    assert [asked.range for asked in hub.downloads("big.bin")] == ["bytes=25000-25599"]


def test_the_readers_stream_a_folder_of_the_hub_that_the_environment_names(hub: MiniHub) -> None:
    commit = hub.add("acme/set", {"data/a.jsonl": LINES, "data/b.jsonl": b"{}\n", "other.jsonl": b""})
    done = subprocess.run(
        [sys.executable, "-c", READ.replace("{commit}", commit)],
        cwd=ROOT,
        env={**os.environ, **hub.environment()},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [f"a.jsonl {len(LINES)} {LINES!r}", f"b.jsonl 3 {b'{}' + bytes([10])!r}"], (
        done.stderr
    )
