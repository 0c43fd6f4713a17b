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
