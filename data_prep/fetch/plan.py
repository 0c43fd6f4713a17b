"""What a fetch would bring, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_prep.errors import DataError
from data_prep.fetch.record import FetchedFile, FetchRecord, plan_path, read_record, record_path
from data_prep.fetch.request import FetchRequest, hub_is_off
from data_prep.fetch.transfer import readable

_SHOWN = 5


@dataclass(frozen=True)
class FetchPlan:
    """What a fetch would bring. `commit` is null, and sizes 0, when the hub wasn't asked and the disk doesn't know."""

    request: FetchRequest
    commit: str | None
    files: int
    bytes: int
    missing_bytes: int


def plan_source(
    request: FetchRequest, target: Path | None, *, offline: bool = False, source: Path | None = None
) -> FetchPlan:
    """What `fetch_source` would bring, or `copy_source` from `source`; asks the hub unless a disk knows.

    Raises what those raise.
    """
    folder = request.folder(target)
    if source is not None:
        origin = source / request.name
        plan = known(request, origin)
        if plan is None or plan.missing(origin):
            raise not_complete(request, source, origin)
    else:
        plan = known(request, folder)
    if plan is None and not (offline or hub_is_off()):
        from data_prep.fetch.hub import Hub

        hub = Hub(request)
        commit = hub.commit()
        plan = new_record(request, commit, hub.files(commit))
    if plan is None:
        return FetchPlan(request, None, 0, 0, 0)
    missing = sum(file.size for file in plan.missing(folder))
    return FetchPlan(request, plan.commit, len(plan.files), plan.bytes, missing)


def known(request: FetchRequest, folder: Path) -> FetchRecord | None:
    """The record or the plan in a folder that is of this request."""
    for path in (record_path(folder), plan_path(folder)):
        found = read_record(path)
        if found is not None and found.answers(request):
            return found
    return None


def is_begun(folder: Path) -> bool:
    """Whether a fetch to the folder was begun and isn't at its end: some of the files may be there."""
    return plan_path(folder).is_file()


def not_complete(request: FetchRequest, target: Path | None, folder: Path) -> DataError:
    """The error for a set that isn't whole in `folder`, its place below `target`."""
    found = known(request, folder)
    if found is None:
        what = f"not fetched: {request.hub} at {request.revision}, files {', '.join(request.patterns)}"
    else:
        missing = found.missing(folder)
        names = ", ".join(file.path for file in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        size = readable(sum(file.size for file in missing))
        what = f"{len(missing):,} of {len(found.files):,} files aren't complete ({size}): {names}{more}"
        if not missing:
            what = "the fetch wasn't finished; its files aren't verified yet"
    return DataError(
        f"{request.name}: {what}",
        place=str(folder),
        remedy=f"on a login node with network: `{request.command(target)}`, then again here, or copy with --from",
    )


def new_record(request: FetchRequest, commit: str, files: list[FetchedFile]) -> FetchRecord:
    """The record of a request of which nothing has come yet."""
    return FetchRecord(
        hub=request.hub,
        revision=request.revision,
        commit=commit,
        patterns=list(request.patterns),
        files=files,
        licence=request.licence,
        licence_url=request.licence_url,
    )
