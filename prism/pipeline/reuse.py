"""Finished work of other runs, taken over instead of done again.

A node is taken over when another run finished the same node with the same section, by this release, on inputs of the
same content, and what it made is still as it was. Files become hard links where the file system allows it, else
copies: artifacts are replaced whole, never written in place. JSON lines, which a run may append to, are copied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prism import __version__
from prism.errors import BadInput
from prism.pipeline.artifacts import Artifact
from prism.pipeline.graph import TOKENIZER, WORLD
from prism.pipeline.links import Node
from prism.pipeline.manifest import Manifest, NodeRecord
from prism.pipeline.sections import differences

_ALWAYS_ANEW = ("data", "report")
"""Data is prepared from what another run prepared (`Reuse.furnish`); a report shows its own run."""

_SOURCES = "data/sources"
_COPIED = ".jsonl"
_LEFT_BEHIND = (".*.tmp", ".work")
"""Unfinished writes. Other names with a dot belong to what they lie in, such as a checkpoint's .metadata."""


@dataclass(frozen=True)
class Found:
    """A finished node of another run, in `directory`."""

    name: str
    directory: Path
    record: NodeRecord
    artifacts: Mapping[str, Artifact]

    def take(self, manifest: Manifest) -> bool:
        """Links what the node made into the manifest's run, and notes it there as finished.

        False, with nothing noted, when a file can't be linked or copied (the other run moved it, the disk is full).
        """
        try:
            for path, artifact in self.artifacts.items():
                link(self.directory / path, manifest.directory / path)
                manifest.artifacts[path] = artifact
                if manifest.measure(path).sha256 != artifact.sha256:
                    return False
        except (OSError, BadInput):
            return False
        manifest.nodes[self.name] = self.record
        manifest.save()
        return True


class Reuse:
    """Looks into other run directories, in their order; those that aren't there have nothing."""

    def __init__(self, directories: Sequence[Path] = ()) -> None:
        self._directories = tuple(directories)

    def find(self, node: Node, parents: Mapping[str, str]) -> Found | None:
        """A finished node that did the same on the same; `parents` are the hashes of the inputs, by path."""
        if node.kind in _ALWAYS_ANEW:
            return None
        for manifest in self._manifests():
            record = manifest.nodes.get(node.name)
            if record is not None and _same(record, node, parents):
                artifacts = _intact(record, manifest)
                if artifacts is not None:
                    return Found(node.name, manifest.directory, record, artifacts)
        return None

    def furnish(self, node: Node, manifest: Manifest) -> Path | None:
        """Links prepared data of another run into a run that has none, before its data node starts.

        The node then leaves alone what it finds made from the same files and settings, and only locks its blends.
        Returns the run that the data comes from. Does nothing for other nodes.
        """
        if node.kind != "data" or (manifest.directory / _SOURCES).exists():
            return None
        for other in self._manifests():
            record = other.nodes.get(node.name)
            if record is None or record.status != "finished":
                continue
            if differences(record.section.get("data"), node.section.get("data")):
                continue
            try:
                for path in (TOKENIZER, WORLD, _SOURCES):
                    if (other.directory / path).exists() and not (manifest.directory / path).exists():
                        link(other.directory / path, manifest.directory / path)
            except OSError:
                return None
            return other.directory
        return None

    def _manifests(self) -> Iterator[Manifest]:
        for directory in self._directories:
            try:
                yield Manifest.load(directory)
            except BadInput:
                continue  # another release's, or damaged: nothing to take


def link(source: Path, target: Path) -> None:
    """Makes `target`, which must not exist, the same file or folder as `source`: whole, or not at all.

    Raises:
        OSError: `source` is gone, or there is no room.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.reuse")
    _remove(unfinished)
    try:
        if source.is_dir():
            unfinished_writes = shutil.ignore_patterns(*_LEFT_BEHIND)
            shutil.copytree(source, unfinished, copy_function=_link_file, ignore=unfinished_writes)
        else:
            _link_file(source, unfinished)
        unfinished.rename(target)
    except shutil.Error as error:  # copytree's list of what went wrong
        raise OSError(str(error)) from None
    finally:
        _remove(unfinished)


def _link_file(source: str | Path, target: str | Path) -> None:
    if not str(source).endswith(_COPIED):
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system, or one without links
    shutil.copy2(source, target)


def _same(record: NodeRecord, node: Node, parents: Mapping[str, str]) -> bool:
    return (
        (record.status, record.kind, record.code_version) == ("finished", node.kind, __version__)
        and set(record.outputs) == set(node.outputs)
        and dict(record.parents) == dict(parents)
        and not differences(record.section, node.section)
    )


def _intact(record: NodeRecord, manifest: Manifest) -> dict[str, Artifact] | None:
    """What the node made, by path; None when some of it isn't what it was."""
    found = {}
    for path in record.outputs:
        known = manifest.artifacts.get(path)
        try:
            now = manifest.measure(path)
        except (BadInput, OSError):
            return None
        if known is None or known.sha256 != now.sha256:
            return None
        found[path] = now
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
