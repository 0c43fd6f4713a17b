"""What is to be fetched: the hub's data sets that a recipe's sources name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from data_prep.errors import UsageError
from data_prep.schema import DataConfig, SourceConfig
from data_prep.sources.catalog import part_configs


@dataclass(frozen=True)
class FetchRequest:
    """A data set or a model of the hub, or some of its files.

    Attributes:
        name: Folder below the target, such as `dclm_edu` or `chat/wildchat_1m`.
        hub: Id on the hub, such as allenai/WildChat-1M.
        revision: Branch, tag or commit.
        patterns: Files that are fetched, in the manner of fnmatch; `*` matches `/` too.
        gated: Whether the card says that the hub asks for an account that accepted the licence.
        path: Folder that the recipe reads it from; empty when it isn't of a recipe.
        kind: What the hub calls the repository.
    """

    name: str
    hub: str
    revision: str = "main"
    patterns: tuple[str, ...] = ("*",)
    licence: str = "unknown"
    licence_url: str | None = None
    gated: bool = False
    path: str = ""
    kind: Literal["dataset", "model"] = "dataset"

    def folder(self, target: Path | None) -> Path:
        """Where it lies below `target`; of null, where the recipe reads it.

        Raises:
            UsageError: the recipe reads it from a file or a pattern.
        """
        if target is not None:
            return target / self.name
        if not is_folder(self.path):
            raise UsageError(
                f"{self.path or 'no path'!r} isn't a folder to fetch to",
                place=f"data.sources.{self.source}.path" if self.kind == "dataset" else self.name,
                remedy="let `path` name a folder and `pattern` the files in it, or use --to",
            )
        return Path(self.path)

    @property
    def page(self) -> str:
        """Where it is on the hub, below the endpoint."""
        return f"datasets/{self.hub}" if self.kind == "dataset" else self.hub

    @property
    def owner(self) -> str:
        """What of a recipe names it: its keys `hub` and `revision` are that one's."""
        return "source" if self.kind == "dataset" else "import stage"

    def command(self, target: Path | None) -> str:
        """The command that fetches it to `target`."""
        to = "" if target is None else f" --to {os.fspath(target)}"
        if self.kind == "model":
            return f"prism models fetch RECIPE{to}"
        return f"prism data fetch RECIPE --source {self.source}{to}"

    @property
    def source(self) -> str:
        """Name of the recipe's source that it belongs to."""
        return self.name.partition("/")[0]


def requests_of(data: DataConfig, names: Collection[str] = ()) -> list[FetchRequest]:
    """What a recipe's sources name on the hub: each source, or each of its parts.

    Args:
        names: Only these sources; empty means all that have a hub id and are read from a folder.

    Raises:
        UsageError: a name isn't a source of the recipe, or the source names no data set of the hub.
    """
    for name in names:
        if name not in data.sources:
            near = difflib.get_close_matches(name, data.sources, n=1)
            raise UsageError(
                f"no source named {name!r}",
                place="data.sources",
                remedy=f"use {near[0]}" if near else f"use one of {', '.join(data.sources) or '(none)'}",
            )
    requests = []
    for name, source in data.sources.items():
        if (names and name not in names) or (not names and not is_folder(source.path)):
            continue
        found = list(_requests(name, source))
        if names and not found:
            raise UsageError(
                "the source names no data set of the hub",
                place=f"data.sources.{name}",
                remedy="set `hub`, or put its files where `path` says",
            )
        requests += found
    return requests


def check_folders(requests: list[FetchRequest], target: Path | None) -> None:
    """Each request has a folder of its own: a second set there would take the files of the first away.

    Raises:
        UsageError: two requests share a folder and want different files, or a recipe reads a set from no folder.
    """
    seen: dict[Path, FetchRequest] = {}
    for request in requests:
        folder = request.folder(target)
        first = seen.setdefault(folder, request)
        if (request.hub, request.revision, request.patterns) != (first.hub, first.revision, first.patterns):
            raise UsageError(
                f"{first.name} and {request.name} want different files in {folder}",
                place=f"data.sources.{request.source}.path",
                remedy="give each a folder, or use --to",
            )


def left_out(data: DataConfig) -> dict[str, str]:
    """Why a fetch of the whole recipe leaves a source, or a part of one, out; by its name."""
    found = {}
    for name, source in data.sources.items():
        for part, config in part_configs(source, name).items():
            label = f"{name}/{part}" if source.parts else name
            if config.hub is None:
                found[label] = "not on the hub"
            elif not is_folder(config.path):
                found[label] = f"read from {config.path}"
    return found


def is_folder(path: str) -> bool:
    """Whether a source's path names a folder: no address, no pattern, no file."""
    named_as_file = Path(path).suffix.lower() in _FILES or Path(path).is_file()
    return bool(path) and "://" not in path and not any(mark in path for mark in "*?[") and not named_as_file


def hub_is_off() -> bool:
    """Whether HF_HUB_OFFLINE asks for no network, as the hub's own library reads it."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


_FILES = (".jsonl", ".json", ".ndjson", ".parquet", ".pq", ".arrow", ".txt", ".md", ".gz", ".zst")

_LOOKUPS = {
    "question_lookup": (
        FetchRequest("taco", "BAAI/TACO", patterns=("train/*.arrow", "test/*.arrow"), licence="Apache-2.0"),
        FetchRequest("apps", "codeparrot/apps", patterns=("train.jsonl", "test.jsonl"), licence="MIT"),
        FetchRequest("code_contests", "deepmind/code_contests", patterns=("data/*.parquet",), licence="CC-BY-4.0"),
        FetchRequest("codeforces", "open-r1/codeforces", patterns=("data/*.parquet",), licence="CC-BY-4.0"),
    )
}
"""Sets that a join looks things up in, below the source's folder `lookup`, by the join's kind."""


def _requests(name: str, source: SourceConfig) -> Iterator[FetchRequest]:
    for part, config in part_configs(source, name).items():
        if config.hub is None:
            continue
        folder = f"{name}/{part}" if source.parts else name
        yield FetchRequest(
            name=folder,
            hub=config.hub,
            revision=config.revision,
            patterns=tuple(config.hub_files),
            licence=config.licence,
            licence_url=config.licence_url,
            gated=config.gated,
            path=config.path,
        )
        if config.join is not None and config.join.path is None:
            for lookup in _LOOKUPS.get(config.join.kind, ()):
                below = f"lookup/{lookup.name}"
                yield replace(lookup, name=f"{folder}/{below}", path=f"{config.path}/{below}")
