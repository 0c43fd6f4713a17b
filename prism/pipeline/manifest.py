"""manifest.json: what every node of a run made, from what, and which recipe keys decided it.

| key | what |
|---|---|
| `schema_version`, `release` | of this file, and which release wrote it |
| `nodes.<name>` | `status` (started, finished), `kind`, `section`, `parents`, `outputs`, `events`, ... |
| `artifacts.<path>` | `sha256`, `made_by` (a node, or null for a file from outside), `files` (size, mtime_ns, sha256) |

Several processes may write it, jobs of one run on several machines among them: each changes what it did, and leaves
what others wrote since.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from data_prep.files import fingerprint, read_json, write_json
from prism import __version__
from prism.errors import BadInput
from prism.pipeline.artifacts import Artifact, FileRecord, measure
from prism.recipe.versions import MANIFEST, current_section

FILE_NAME = "manifest.json"
_LOCK = ".manifest.lock"

_T = TypeVar("_T")


@dataclass(frozen=True)
class NodeRecord:
    """A node's last run. `section` holds the recipe keys that decided it; times are ISO 8601 in UTC.

    `events`: what happened in it that the recipe doesn't say beforehand, such as the retention gate's change of blend;
    a line of the stage's events.json each.
    """

    status: Literal["started", "finished"]
    kind: str
    section: Mapping[str, Any]
    parents: Mapping[str, str]
    started: str
    code_version: str
    outputs: tuple[str, ...] = ()
    seconds: float | None = None
    finished: str | None = None
    events: tuple[Mapping[str, Any], ...] = ()

    @property
    def section_fingerprint(self) -> str:
        return fingerprint(self.section)


@dataclass
class Manifest:
    """The manifest of one run directory; `save` makes changes last."""

    directory: Path
    nodes: dict[str, NodeRecord] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seen: tuple[dict[str, NodeRecord], dict[str, Artifact]] = {}, {}

    @classmethod
    def load(cls, directory: Path) -> Manifest:
        """The run's manifest; an empty one where there is none.

        Raises:
            BadInput: another release wrote it, or it is damaged.
        """
        file = directory / FILE_NAME
        if not file.exists():
            return cls(directory)
        content = MANIFEST.migrate(read_json(file), str(file))
        try:
            nodes = {name: _node_from(entry) for name, entry in content["nodes"].items()}
            artifacts = {path: _artifact_from(path, entry) for path, entry in content["artifacts"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"damaged ({type(error).__name__}: {error})",
                place=str(file),
                remedy="restore it, or delete the run's folder and run again",
            ) from None
        manifest = cls(directory, nodes, artifacts)
        manifest._seen = dict(nodes), dict(artifacts)
        return manifest

    def save(self) -> None:
        """Writes the file whole or not at all, with what other processes changed since it was read."""
        with _alone(self.directory):
            there = Manifest.load(self.directory)
            nodes, artifacts = self._seen
            self.nodes = _merged(nodes, self.nodes, there.nodes)
            self.artifacts = _merged(artifacts, self.artifacts, there.artifacts)
            self._write()
        self._seen = dict(self.nodes), dict(self.artifacts)

    def _write(self) -> None:
        makers = {path: name for name, record in self.nodes.items() for path in record.outputs}
        write_json(
            self.directory / FILE_NAME,
            {
                "schema_version": MANIFEST.version,
                "release": __version__,
                "run": self.directory.name,
                "nodes": {
                    name: {
                        **asdict(record),
                        "section_fingerprint": record.section_fingerprint,
                    }
                    for name, record in self.nodes.items()
                },
                "artifacts": {
                    path: {
                        "sha256": artifact.sha256,
                        "made_by": makers.get(path),
                        "files": {name: asdict(record) for name, record in artifact.files.items()},
                    }
                    for path, artifact in self.artifacts.items()
                },
            },
        )

    def measure(self, path: str) -> Artifact:
        """The artifact at `path` as it is now; files that look unchanged aren't read.

        Raises:
            BadInput: there is nothing at that path.
        """
        artifact = measure(self.directory, path, self.artifacts.get(path))
        self.artifacts[path] = artifact
        return artifact


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process at a time, on whichever machine that sees the folder."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _merged(before: Mapping[str, _T], own: Mapping[str, _T], there: Mapping[str, _T]) -> dict[str, _T]:
    """`there` with what changed from `before` to `own`."""
    changed = {name: value for name, value in own.items() if before.get(name) != value}
    gone = before.keys() - own.keys()
    return {name: value for name, value in there.items() if name not in gone} | changed


def _node_from(entry: Mapping[str, Any]) -> NodeRecord:
    values = {key: value for key, value in entry.items() if key != "section_fingerprint"}
    values |= {"section": current_section(entry["section"]), "outputs": tuple(entry["outputs"])}
    return NodeRecord(**{**values, "events": tuple(entry.get("events", ()))})


def _artifact_from(path: str, entry: Mapping[str, Any]) -> Artifact:
    files = {name: FileRecord(**record) for name, record in entry["files"].items()}
    return Artifact(path, entry["sha256"], files)
