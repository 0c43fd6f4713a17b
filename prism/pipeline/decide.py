"""Does a node have to run? Its record in the manifest against the recipe and the files as they are now."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_prep.files import fingerprint
from prism.errors import BadInput
from prism.pipeline.links import Node, RawSource
from prism.pipeline.manifest import Manifest, NodeRecord
from prism.pipeline.sections import differences


@dataclass(frozen=True)
class Verdict:
    """`skip`: finished and unchanged. `resume`: started and unchanged. `fresh`: never started. `again`: changed,
    for the `reasons` given."""

    what: Literal["skip", "resume", "fresh", "again"]
    reasons: tuple[str, ...] = ()


def measure_inputs(node: Node, manifest: Manifest) -> dict[str, str]:
    """The hash of every input, by path.

    Raises:
        BadInput: an input is missing.
    """
    found = {path: manifest.measure(path).sha256 for path in node.inputs}
    return found | {source.path: f"listing:{_listing(source)}" for source in node.sources}


def judge(node: Node, manifest: Manifest, parents: Mapping[str, str]) -> Verdict:
    """Compares the node's record with what it would run on now (`parents`, from `measure_inputs`)."""
    record = manifest.nodes.get(node.name)
    if record is None:
        return Verdict("fresh")
    reasons = _changes(record, node, parents)
    if not reasons and record.status == "started":
        return Verdict("resume")
    if not reasons:
        reasons = _altered(record, node, manifest)
    return Verdict("again", tuple(reasons)) if reasons else Verdict("skip")


def _changes(record: NodeRecord, node: Node, parents: Mapping[str, str]) -> list[str]:
    if record.kind != node.kind:
        return [f"pipeline.{node.name}.stage: {record.kind} -> {node.kind}"]
    changes = differences(record.section, node.section)
    changes += [f"input {path} is new" for path in parents if path not in record.parents]
    changes += [f"input {path} is no longer read" for path in record.parents if path not in parents]
    changes += [f"input {path} changed" for path in parents if record.parents.get(path, parents[path]) != parents[path]]
    return changes


def _altered(record: NodeRecord, node: Node, manifest: Manifest) -> list[str]:
    """Outputs that are gone or not what the node made."""
    altered = [f"output {path} was never made" for path in node.outputs if path not in record.outputs]
    for path in record.outputs:
        known = manifest.artifacts.get(path)
        try:
            now = manifest.measure(path)
        except BadInput:
            altered.append(f"output {path} is missing")
            continue
        if known is None or known.sha256 != now.sha256:
            altered.append(f"output {path} was altered since")
    return altered


def _listing(source: RawSource) -> str:
    """Names, sizes and modification times of a raw source's files: cheap, however large they are."""
    rows = []
    for path in sorted(_files(source)):
        status = path.stat()
        rows.append([str(path), status.st_size, status.st_mtime_ns])
    return fingerprint(rows)[:16]


def _files(source: RawSource) -> Iterator[Path]:
    for name in glob.glob(source.path, recursive=True):
        path = Path(name)
        if path.is_file():
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if not any(fnmatch.fnmatch(name, one) for one in source.exclude)]
            for file in (Path(folder) / name for name in files):
                # as data_prep reads them: the pattern fits the name, or the path below the source's folder
                names = (file.name, file.relative_to(path).as_posix())
                if any(fnmatch.fnmatch(name, source.pattern) for name in names):
                    yield file
