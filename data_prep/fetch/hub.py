"""The hub, through huggingface_hub: a revision's commit, its files, their bytes.

Endpoint (HF_ENDPOINT) and token (HF_TOKEN) are read when a hub is made and passed on explicitly, since the library
reads the environment once, at import. Files are brought with the library's `http_get`, which takes a start:
`hf_hub_download` begins a file anew after a kill (its temporary names are unique to a process).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.constants import MAX_HTTP_DOWNLOAD_SIZE
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import silent_tqdm

from data_prep.errors import DataError
from data_prep.fetch.record import FetchedFile
from data_prep.fetch.request import FetchRequest
from data_prep.fetch.transfer import Origin, readable

_ENDPOINT = "https://huggingface.co"
_ANSWER_SECONDS = 60.0
_FRUITLESS = 5
"""Broken connections in a row, without a byte between, that a file outlives."""


class Hub:
    """One data set on the hub. Every method raises DataError with what to do about it; the token is never shown."""

    def __init__(self, request: FetchRequest) -> None:
        self._request = request
        self._endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _ENDPOINT
        self._token = _token()
        self._api = HfApi(endpoint=self._endpoint, token=self._token or False)
        self._headers = {"user-agent": "prism-megatron", "accept-encoding": "identity"}
        if self._token:
            self._headers["authorization"] = f"Bearer {self._token}"

    def commit(self) -> str:
        """The commit that the asked revision is now."""
        with self._errors():
            asked = self._request.revision
            kind = self._request.kind
            found = self._api.repo_info(self._request.hub, repo_type=kind, revision=asked, timeout=_ANSWER_SECONDS).sha
        if found is None or (_is_commit(asked) and found != asked):
            raise DataError(
                f"asked for commit {asked}, the hub gives {found}",
                place=self._place,
                remedy="check the revision, and HF_ENDPOINT if it is a mirror",
            )
        return found

    def files(self, commit: str) -> list[FetchedFile]:
        """The files of a commit that fit the patterns, sorted; hidden ones are left out."""
        with self._errors():
            kind = self._request.kind
            tree = self._api.list_repo_tree(self._request.hub, recursive=True, revision=commit, repo_type=kind)
            entries = [entry for entry in tree if isinstance(entry, RepoFile)]
        found = [
            FetchedFile(entry.path, entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in entries
            if any(fnmatchcase(entry.path, pattern) for pattern in self._request.patterns)
            and not any(part.startswith(".") for part in self._parts(entry.path))
        ]
        if not found:
            raise DataError(
                f"none of its {len(entries):,} files fits {', '.join(self._request.patterns)}",
                place=f"{self._place} at {commit}",
                remedy=f"correct the {self._request.owner}'s hub_files, or its revision",
            )
        for file in found:
            if file.size > MAX_HTTP_DOWNLOAD_SIZE:
                raise DataError(
                    f"{file.path} has {readable(file.size)}, more than the hub serves over HTTP",
                    place=self._place,
                    remedy=f"bring it with `hf download --repo-type {self._request.kind} {self._request.hub}`",
                )
        return sorted(found, key=lambda file: file.path)

    def at(self, commit: str) -> Origin:
        """The files of a commit as an origin."""
        return _Commit(self, commit)

    def bring(self, commit: str, file: FetchedFile, part: BinaryIO, start: int) -> None:
        """Appends the file's bytes from `start` on; a broken connection is taken up again where it broke."""
        url = f"{self._endpoint}/{self._request.page}/resolve/{commit}/{quote(file.path)}"
        fruitless = 0
        with self._errors(file.path):
            while True:
                try:
                    http_get(
                        url, part, resume_size=start, headers=self._headers, expected_size=file.size,
                        tqdm_class=silent_tqdm,
                    )  # fmt: skip
                    return
                except httpx2.ReadError:  # a reset connection; http_get itself outlives the other kinds
                    position = part.tell()
                    fruitless = 0 if position > start else fruitless + 1
                    if fruitless == _FRUITLESS:
                        raise
                    start = position

    def damaged(self, file: FetchedFile, found: str) -> DataError:
        expected = f"SHA-256 {file.sha256}" if file.sha256 else f"git hash {file.blob}"
        return DataError(
            f"{file.path} came with SHA-256 {found}, not with the {expected} that the hub lists",
            place=self._place,
            remedy="run again; if it comes again, a proxy or mirror (HF_ENDPOINT) changes files",
        )

    @property
    def _place(self) -> str:
        return f"{self._request.name} ({self._endpoint}/{self._request.page})"

    def _parts(self, path: str) -> tuple[str, ...]:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
            raise DataError(f"{path!r} isn't a path inside the set", place=self._place, remedy="leave the set alone")
        return parts

    @contextmanager
    def _errors(self, what: str = "") -> Iterator[None]:
        """The library's errors as errors for the user; chains are cut, since requests hold the token."""
        place = f"{self._place}: {what}" if what else self._place
        try:
            yield
        except RevisionNotFoundError:
            raise DataError(
                f"no revision {self._request.revision!r}",
                place=place,
                remedy=f"correct the {self._request.owner}'s revision",
            ) from None
        except HfHubHTTPError as error:
            raise self._refused(error, place) from None
        except HFValidationError as error:
            raise DataError(str(error), place=place, remedy=f"correct the {self._request.owner}'s hub") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"the answer isn't the hub's ({type(error).__name__})",
                place=place,
                remedy="check HF_ENDPOINT, and whether a proxy answers instead of the hub",
            ) from None
        except (httpx2.HTTPError, OfflineModeIsEnabled) as error:
            raise DataError(
                f"the hub can't be reached ({type(error).__name__}: {error})",
                place=place,
                remedy="run again, it goes on where it stopped; on a cluster without network fetch on a login node "
                f"with `{self._request.command(None)} --to DIR`",
            ) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise DataError(str(error).splitlines()[0], place=place, remedy="run again") from None

    def _refused(self, error: HfHubHTTPError, place: str) -> DataError:
        status = error.response.status_code
        if isinstance(error, GatedRepoError) or status in (401, 403):
            if isinstance(error, GatedRepoError) or self._request.gated:
                return self._gated(place)
            return DataError(
                "not on the hub, or not to be read with "
                + ("this HF_TOKEN" if self._token else "no token (HF_TOKEN isn't set)"),
                place=place,
                remedy=f"check the {self._request.owner}'s hub; if it is private, set HF_TOKEN to one that reads it",
            )
        if isinstance(error, RepositoryNotFoundError):
            return DataError("not on the hub", place=place, remedy=f"correct the {self._request.owner}'s hub")
        return DataError(
            f"the hub answered {status}", place=place, remedy="run again later, it goes on where it stopped"
        )

    def _gated(self, place: str) -> DataError:
        page = f"{self._endpoint}/{self._request.page}"
        link = f", {self._request.licence_url}" if self._request.licence_url not in (None, page) else ""
        what = "set" if self._request.kind == "dataset" else "model"
        why = "HF_TOKEN's account hasn't accepted its licence" if self._token else "HF_TOKEN isn't set"
        return DataError(
            f"the {what} is gated and {why} ({self._request.licence}{link})",
            place=place,
            remedy=f"accept the licence at {page}, then set HF_TOKEN to a token of that account that reads gated sets",
        )


@dataclass(frozen=True)
class _Commit:
    hub: Hub
    commit: str

    def bring(self, file: FetchedFile, part: BinaryIO, start: int) -> None:
        self.hub.bring(self.commit, file, part, start)

    def damaged(self, file: FetchedFile, found: str) -> DataError:
        return self.hub.damaged(file, found)


def _token() -> str | None:
    token = os.environ.get("HF_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise DataError(
            "HF_TOKEN holds a character that no token has",
            place="environment",
            remedy="copy the token again; it begins with hf_",
        )
    return token or None


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")
