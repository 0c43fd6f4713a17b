"""A hub of data sets and models on 127.0.0.1: what huggingface_hub asks of the real one, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class Repository:
    """`refs` are commits by branch; `token` is who may read a gated one."""

    token: str | None
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)


@dataclass
class MiniHub:
    """Add data sets with `add`; `requests` are the requests that came, in order.

    Files of `lfs` endings are listed with SHA-256 and served from another host by a redirect, as the real hub does.
    `page` is how many entries a page of a listing has: few, so that a handful of files has several.
    """

    endpoint: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[Asked] = field(default_factory=list)
    lfs: tuple[str, ...] = (".parquet", ".bin")
    page: int = 3
    listed_sizes: dict[str, int] = field(default_factory=dict)
    served_instead: dict[str, bytes] = field(default_factory=dict)
    _drops: dict[str, int] = field(default_factory=dict)
    _stalls: dict[str, tuple[int, bool]] = field(default_factory=dict)
    _stalled: threading.Event = field(default_factory=threading.Event)
    _go_on: threading.Event = field(default_factory=threading.Event)

    def add(self, hub: str, files: dict[str, bytes], branch: str = "main", token: str | None = None) -> str:
        """A new commit on a branch; returns its hash. A set with a `token` is gated."""
        listing = sorted((path, git_hash(content)) for path, content in files.items())
        commit = hashlib.sha1(json.dumps([hub, listing]).encode()).hexdigest()
        repository = self.repositories.setdefault(hub, Repository(token))
        repository.token = token
        repository.commits[commit] = dict(files)
        repository.refs[branch] = commit
        return commit

    def drop_once(self, path: str, after: int) -> None:
        """The next download of `path` ends after so many bytes."""
        self._drops[path] = after

    def stall(self, path: str, after: int, *, reset: bool = False) -> None:
        """The next download of `path` sends so many bytes, then nothing until `go_on`, which may tear it down."""
        self._stalls[path] = (after, reset)
        self._stalled.clear()
        self._go_on.clear()

    def wait_for_stall(self) -> None:
        assert self._stalled.wait(60)

    def go_on(self) -> None:
        self._go_on.set()

    def downloads(self, path: str) -> list[Asked]:
        """The GET requests that were answered with the bytes of `path`."""
        return [asked for asked in self.requests if asked.method == "GET" and asked.path.endswith("/cdn/" + path)] or [
            asked
            for asked in self.requests
            if asked.method == "GET" and "/resolve/" in asked.path and asked.path.endswith("/" + path)
        ]

    def environment(self, token: str | None = None) -> dict[str, str]:
        """Variables for a process that talks to this hub."""
        return {"HF_ENDPOINT": self.endpoint, **({"HF_TOKEN": token} if token else {})}


@contextmanager
def mini_hub() -> Iterator[MiniHub]:
    """Serves while the block runs."""
    hub = MiniHub()

    class Bound(_Handler):
        pass

    Bound.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on()
        server.shutdown()
        server.server_close()
        thread.join()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


_API = r"/api/(?:datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.+))?)?"


class _Handler(BaseHTTPRequestHandler):
    hub: MiniHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        asked = Asked(self.command, path, self.headers.get("Range"), self.headers.get("Authorization"))
        self.hub.requests.append(asked)
        if found := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(\w+)/cdn/(.+)", path):
            self._send_file(self.hub.repositories[found[1]].commits[found[2]][found[3]], found[3], {})
        elif found := re.fullmatch(_API, path):
            self._api(found[1], found[2], found[3] or "main", found[4] or "", body)
        elif found := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[2], found[3])
        else:
            self._refuse(404, "")

    def _api(self, name: str, kind: str | None, revision: str, folder: str, body: bytes) -> None:
        commit = self._commit(name, revision)
        if commit is None:
            return
        repository = self.hub.repositories[name]
        if kind in (None, "revision"):
            gated = "manual" if repository.token else False
            siblings = [{"rfilename": path} for path in repository.commits[commit]]
            self._json({"id": name, "sha": commit, "private": False, "gated": gated, "siblings": siblings})
            return
        entries = self._entries(repository.commits[commit])
        if kind == "paths-info":
            wanted = json.loads(body)["paths"]
            self._json([entry for entry in entries if entry["path"] in wanted])
            return
        if folder:
            entries = [entry for entry in entries if entry["path"].startswith(folder + "/")]
            if not entries:  # also where it is a file
                self._refuse(404, "EntryNotFound")
                return
        if "recursive=True" not in self.path and "recursive=true" not in self.path:
            depth = folder.count("/") + bool(folder)
            entries = [entry for entry in entries if entry["path"].count("/") == depth]
        start = int((re.search(r"cursor=(\d+)", self.path) or [0, 0])[1])
        headers = {}
        if start + self.hub.page < len(entries):
            address = re.sub(r"[?&]cursor=\d+", "", self.path)
            join = "&" if "?" in address else "?"
            headers["Link"] = f'<{self.hub.endpoint}{address}{join}cursor={start + self.hub.page}>; rel="next"'
        self._json(entries[start : start + self.hub.page], headers)

    def _entries(self, files: dict[str, bytes]) -> list[dict[str, Any]]:
        folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
        entries: list[dict[str, Any]] = [
            {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in folders
        ]
        for path, content in files.items():
            size = self.hub.listed_sizes.get(path, len(content))
            entry: dict[str, Any] = {"type": "file", "path": path, "oid": git_hash(content), "size": size}
            if path.endswith(self.hub.lfs):
                sha256 = hashlib.sha256(content).hexdigest()
                entry |= {"oid": "1" * 40, "lfs": {"oid": sha256, "size": size, "pointerSize": 134}}
            entries.append(entry)
        return sorted(entries, key=lambda entry: str(entry["path"]))

    def _resolve(self, name: str, revision: str, path: str) -> None:
        commit = self._commit(name, revision)
        if commit is None:
            return
        token = self.hub.repositories[name].token
        if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
            self._refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
            return
        content = self.hub.repositories[name].commits[commit].get(path)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{git_hash(content)}"'}
        if path.endswith(self.hub.lfs):
            headers["X-Linked-Size"] = str(len(content))
            headers["X-Linked-ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            other_host = self.hub.endpoint.replace("127.0.0.1", "localhost")
            headers["Location"] = f"{other_host}/cdn/{name}/{commit}/cdn/{path}"
            self._send(302, b"", headers)
            return
        self._send_file(content, path, headers)

    def _send_file(self, content: bytes, path: str, headers: dict[str, str]) -> None:
        content = self.hub.served_instead.get(path, content)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start = int(found[1]) if found else 0
        end = min(int(found[2]) + 1, len(content)) if found and found[2] else len(content)
        if found:
            headers |= {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
        self._send(206 if found else 200, content[start:end], {"Accept-Ranges": "bytes", **headers}, path)

    def _commit(self, name: str, revision: str) -> str | None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse(404, "RepoNotFound")
            return None
        commit = repository.refs.get(revision, revision)
        if commit not in repository.commits:
            self._refuse(404, "RevisionNotFound")
            return None
        return commit

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code} if code else {})

    def _json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str], path: str = "") -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = self.hub._drops.pop(path, len(body))
        stall, reset = self.hub._stalls.pop(path, (0, False))
        try:
            self.wfile.write(body[: stall or stop])
            if stall:
                self.hub._stalled.set()
                self.hub._go_on.wait(60)
                if reset:
                    self._reset()
                else:
                    self.wfile.write(body[stall:])
            elif stop < len(body):
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
        except OSError:  # whoever asked has gone
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
