"""A source brought to a disk: from the hub, or from another disk that holds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from data_prep.errors import UsageError
from data_prep.fetch.disk import Disk
from data_prep.fetch.lock import alone_in
from data_prep.fetch.plan import known, new_record, not_complete
from data_prep.fetch.record import (
    FetchedFile,
    FetchRecord,
    plan_path,
    read_record,
    record_path,
    with_hashes,
    work_folder,
    write_record,
)
from data_prep.fetch.request import FetchRequest, hub_is_off
from data_prep.fetch.transfer import Origin, Progress, bring_files, readable

Log = Callable[[str], None]


@dataclass(frozen=True)
class FetchReport:
    """What a folder holds now. `moved` counts the bytes that came in this call; `already` says that all was there."""

    name: str
    folder: Path
    commit: str
    files: int
    bytes: int
    moved: int
    already: bool


def fetch_source(
    request: FetchRequest,
    target: Path | None,
    *,
    log: Log,
    offline: bool = False,
    progress: Progress | None = None,
    connections: int = 8,
) -> FetchReport:
    """Brings a data set from the hub to its folder and records commit, sizes and hashes in `.fetched.json`.

    The revision is resolved to a commit first; a call that goes on with a killed one keeps its commit. What is complete
    isn't fetched again, even when a branch has moved: delete the folder or change the revision for that. Files of an
    earlier commit go once the new ones are complete. Processes of one node that call at once fetch once.

    Args:
        target: The set comes to `target`/<name>; null: to the folder that the recipe reads.
        offline: No network at all; so does HF_HUB_OFFLINE=1.
        connections: Files that are fetched at a time.

    Raises:
        DataError: the hub refuses (a gated set, a wrong revision ...), a file isn't what the hub lists, or `offline`
            and files are missing.
        DiskFull: the files don't fit.
        UsageError: no target, and the recipe reads it from no folder.
    """
    folder = request.folder(target)
    done = _complete(request, folder, log)
    if done is not None:
        return done
    if offline or hub_is_off():
        raise not_complete(request, target, folder)
    from data_prep.fetch.hub import Hub  # offline nodes do without the library

    with alone_in(folder, log):
        done = _complete(request, folder, log)
        if done is not None:
            return done
        hub = Hub(request)
        plan = _pinned(request, folder, hub.commit, hub.files)
        _announce(plan, request, plan.missing(folder), log)
        return _bring(request.name, plan, folder, hub.at(plan.commit), connections, progress, log)


def copy_source(
    request: FetchRequest,
    source: Path,
    target: Path | None,
    *,
    log: Log,
    progress: Progress | None = None,
    threads: int = 8,
) -> FetchReport:
    """Copies a fetched data set from `source`/<name> to its folder, such as a node's own disk; needs no network.

    Resumes, verifies every file's SHA-256, and copies once for all processes of a node that call at once.

    Raises:
        DataError: it isn't complete in `source`, or a file there isn't what its record says.
        DiskFull: the files don't fit.
        UsageError: the recipe reads it from no folder, or both are the same folder.
    """
    folder, origin = request.folder(target), source / request.name
    if folder.resolve() == origin.resolve():
        raise UsageError("source and target are the same folder", place=str(folder), remedy="change --from or --to")
    record = read_record(record_path(origin))
    if record is None or not record.answers(request) or record.missing(origin):
        raise not_complete(request, source, origin)
    done = _complete(request, folder, log, record.commit)
    if done is not None:
        return done
    with alone_in(folder, log):
        done = _complete(request, folder, log, record.commit)
        if done is not None:
            return done
        plan = _begin(replace(record, finished=None), folder)
        log(f"{request.name}: copying {len(plan.files):,} files, {readable(plan.bytes)}, from {origin}")
        return _bring(request.name, plan, folder, Disk(origin), threads, progress, log)


def _complete(request: FetchRequest, folder: Path, log: Log, commit: str | None = None) -> FetchReport | None:
    record = read_record(record_path(folder))
    if record is None or not record.answers(request) or record.missing(folder):
        return None
    if commit not in (None, record.commit):
        return None
    log(f"{request.name}: fetched already, {_size(record)} at {record.commit[:12]} in {folder}")
    return _report(request.name, record, folder, 0, already=True)


def _pinned(
    request: FetchRequest, folder: Path, commit: Callable[[], str], files: Callable[[str], list[FetchedFile]]
) -> FetchRecord:
    """The plan that an earlier call began, or a new one."""
    begun = known(request, folder)
    if begun is None:
        found = commit()
        begun = new_record(request, found, files(found))
    return _begin(begun, folder)


def _begin(record: FetchRecord, folder: Path) -> FetchRecord:
    """Writes the plan, then takes back what the folder was said to hold."""
    earlier = [found for path in (record_path(folder), plan_path(folder)) if (found := read_record(path))]
    paths = {path for found in earlier for path in (*found.stale, *(file.path for file in found.files))}
    stale = sorted(paths - {file.path for file in record.files})
    plan = replace(record, stale=tuple(stale), finished=None)
    write_record(plan_path(folder), plan)
    if not any(found.finished and found.commit == record.commit for found in earlier):
        record_path(folder).unlink(missing_ok=True)
    return plan


def _bring(
    name: str, plan: FetchRecord, folder: Path, origin: Origin, threads: int, progress: Progress | None, log: Log
) -> FetchReport:
    record = read_record(record_path(folder))
    trusted = {file.path: file.sha256 for file in record.files if file.sha256} if record else {}
    hashes, moved = bring_files(folder, plan.files, trusted, origin, threads=threads, progress=progress)
    for path in plan.stale:
        _remove(folder, path)
    done = with_hashes(plan, hashes, datetime.now(UTC).isoformat(timespec="seconds"))
    write_record(record_path(folder), done)
    shutil.rmtree(work_folder(folder), ignore_errors=True)
    log(f"{name}: {_size(done)} at {done.commit[:12]} in {folder}, {readable(moved)} of them now")
    return _report(name, done, folder, moved, already=False)


def _announce(plan: FetchRecord, request: FetchRequest, missing: list[FetchedFile], log: Log) -> None:
    link = f" ({request.licence_url})" if request.licence_url else ""
    gated = ", gated" if request.gated else ""
    log(f"{request.name}: {request.hub} at {plan.commit} ({plan.revision}); licence {request.licence}{link}{gated}")
    left = sum(file.size for file in missing)
    log(f"{request.name}: {_size(plan)}, {len(missing):,} files and {readable(left)} to fetch")


def _report(name: str, record: FetchRecord, folder: Path, moved: int, *, already: bool) -> FetchReport:
    return FetchReport(name, folder, record.commit, len(record.files), record.bytes, moved, already)


def _remove(folder: Path, path: str) -> None:
    (folder / path).unlink(missing_ok=True)
    for parent in list(Path(path).parents)[:-1]:
        with suppress(OSError):  # another file is in it
            (folder / parent).rmdir()


def _size(record: FetchRecord) -> str:
    return f"{len(record.files):,} files, {readable(record.bytes)}"
