"""What an attack might touch: files, sockets, processes and shared memory, and whether it has."""

from __future__ import annotations

import os
import select
import socket
import subprocess
from dataclasses import dataclass, field
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

SECRET = "the-secret-that-nobody-may-see"


@dataclass
class World:
    """Everything in it is open to all users of this machine, so that only the sandbox keeps a program from it."""

    folder: Path
    sockets: list[socket.socket] = field(default_factory=list)
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.chmod(0o777)
        self.secret, self.victim = self.folder / "secret", self.folder / "victim"
        for file in (self.secret, self.victim):
            file.write_text(SECRET)
            file.chmod(0o666)
        self.tcp = self._listen(socket.AF_INET, ("127.0.0.1", 0))
        self.udp = self._listen(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)
        self.unix = self._listen(socket.AF_UNIX, str(self.folder / "socket"))
        self.datagram = self._listen(socket.AF_UNIX, str(self.folder / "socket.datagram"), socket.SOCK_DGRAM)
        self.abstract = self._listen(socket.AF_UNIX, f"\0prism-test-{os.getpid()}")
        for path in self.folder.glob("socket*"):
            path.chmod(0o777)
        self.shared = shared_memory.SharedMemory(create=True, size=4096)
        Path("/dev/shm", self.shared.name.lstrip("/")).chmod(0o666)
        user = {"user": 65_534} if os.getuid() == 0 else {}
        for setting in ({}, user):  # one of this user's, one of the user's that programs run as
            self.others.append(subprocess.Popen(["/bin/sleep", "600"], cwd="/", env={}, **setting))  # type: ignore[call-overload]
        self._before = self._files()

    def as_seen_from_within(self, servers: list[int]) -> dict[str, Any]:
        """What an attack is told."""
        return {
            "folder": str(self.folder),
            "secret": str(self.secret),
            "victim": str(self.victim),
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "unix": str(self.folder / "socket"),
            "abstract": f"prism-test-{os.getpid()}",
            "shared": self.shared.name,
            "key": 0x5EC2E7 + os.getpid(),
            "pids": [os.getpid(), *servers, *(other.pid for other in self.others)],
        }

    def changes(self) -> list[str]:
        """What isn't as it was."""
        found = []
        if self._files() != self._before:
            found.append("files in the folder")
        if select.select(self.sockets, [], [], 0)[0]:
            found.append("a socket was reached")
        found += [
            f"process {other.pid} is {state(other.pid)}"
            for other in self.others
            if state(other.pid) in ("T", "Z", "gone")
        ]
        if Path("/dev/shm", self.shared.name.lstrip("/") + "x").exists():
            found.append("shared memory")
        keys = Path("/proc/sysvipc/shm").read_text() + Path("/proc/sysvipc/msg").read_text()
        if str(0x5EC2E7 + os.getpid()) in keys:
            found.append("System V objects")
        return found

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        for other in self.others:
            other.kill()
            other.wait()
        self.shared.close()
        self.shared.unlink()

    def _listen(self, family: int, address: Any, kind: int = socket.SOCK_STREAM) -> socket.socket:
        sock = socket.socket(family, kind)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen()
        self.sockets.append(sock)
        return sock

    def _files(self) -> dict[str, Any]:
        rows = {}
        for path in sorted(self.folder.rglob("*")):
            about = path.lstat()
            content = path.read_text() if path.is_file() else ""
            rows[path.name] = (about.st_mode, about.st_uid, about.st_nlink, about.st_mtime_ns, content)
        return {**rows, ".": self.folder.stat().st_mode}


def state(process: int) -> str:
    """Of a process, as in /proc: S sleeps, T is stopped, Z is dead; "gone"."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "gone"


def servers_and_programs() -> set[int]:
    """Process ids of this process's fork servers and all that was forked from them, wherever it now hangs."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = any(b"from inside.server import main" in word for word in words) and str(os.getpid()).encode() in words
        if ours and state(int(folder.name)) not in ("Z", "gone"):
            found.add(int(folder.name))
    return found
