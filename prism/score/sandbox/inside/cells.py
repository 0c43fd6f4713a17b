"""What contains a program, by tier. A cell is made once, in the fork server, and entered by each program's process.

namespaces  a root of its own with Python's library read-only and an empty /tmp in memory; no processes but its own,
            no network, no System V objects; limits and the system-call filter
landlock    no file but Python's library may be read and none written; limits and the system-call filter
limits      time, memory, tasks and files are limited; the system-call filter where the kernel takes it
"""

import contextlib
import fcntl
import os
import stat
import sys
from typing import Protocol

from . import kernel, landlock, limits, seccomp
from .root import enter_new_root, library_paths

OWN = 50
"""Descriptors of the fork server's own are moved up to here, out of the way of a program's."""

KEPT = 100
"""Those from here on stay open in a program's process."""

_ROOM_BYTES, _ROOM_FILES = 16 << 20, 1024


class Cell(Protocol):
    """Made in the fork server. Raises OSError where this machine doesn't allow it."""

    def start(self) -> int:
        """Forks: the child's process id, and 0 in the child."""
        ...

    def enter(self, seconds: float, memory_bytes: int) -> None:
        """In the child. Raises OSError where something doesn't hold."""
        ...


class Namespaces:
    """Every program has user, process, mount, IPC and host name spaces of its own, within this server's.

    The network name space is the server's, which has no interface that is up: a new one for each program would cost
    a third of the programs a second (the kernel takes them down one by one), and the filter lets nobody make a socket.
    """

    _EACH = kernel.NEW_MOUNTS | kernel.NEW_IPC | kernel.NEW_HOST_NAME | kernel.NEW_USERS | kernel.NEW_PROCESSES
    _SERVER = kernel.NEW_MOUNTS | kernel.NEW_IPC | kernel.NEW_HOST_NAME | kernel.NEW_NETWORK

    def __init__(self, proc: int) -> None:
        self._proc = proc
        try:
            kernel.call("unshare", self._SERVER)
        except PermissionError:
            user, group = os.getuid(), os.getgid()
            kernel.call("unshare", self._SERVER | kernel.NEW_USERS)
            self._map(user, user, group, group)
        enter_new_root()
        self._threads = limits.become_nobody(proc)
        kernel.own_proc_files()
        self._user, self._group = os.getuid(), os.getgid()
        seccomp.program(1, self._threads)

    def start(self) -> int:
        return kernel.clone(self._EACH)

    def enter(self, seconds: float, memory_bytes: int) -> None:
        self._map(limits.NOBODY, self._user, limits.NOBODY, self._group)
        options = f"size={_ROOM_BYTES},nr_inodes={_ROOM_FILES},mode=700"
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.NO_SUID | kernel.NO_DEVICES | kernel.NO_EXEC, options)
        os.chdir("/tmp")
        limits.take(seconds, memory_bytes, _ROOM_BYTES, limits.MOST_THREADS)
        kernel.give_up_rights()
        kernel.install_filter(seccomp.program(1, self._threads))

    def _map(self, user: int, outer_user: int, group: int, outer_group: int) -> None:
        """One user and one group, which is what anybody may map."""
        rows = {"setgroups": "deny", "uid_map": f"{user} {outer_user} 1", "gid_map": f"{group} {outer_group} 1"}
        for name, text in rows.items():
            file = os.open(f"self/{name}", os.O_WRONLY, dir_fd=self._proc)
            os.write(file, text.encode())
            os.close(file)


class Restricted:
    """No namespaces. A program keeps nothing that it could write or send to.

    Args:
        files: whether Landlock takes the files away, and has to.
    """

    def __init__(self, proc: int, files: bool) -> None:
        self._proc, self._filtered = proc, files
        self._rules = moved(landlock.ruleset(library_paths(), ["/dev/null"]), OWN) if files else -1
        if os.getuid() == 0:
            _open_library_to_nobody()

    def start(self) -> int:
        return kernel.clone(0)

    def enter(self, seconds: float, memory_bytes: int) -> None:
        os.setsid()
        os.chdir("/")
        threads = limits.become_nobody(self._proc)
        limits.take(seconds, memory_bytes, 0, limits.tasks_of(os.getuid()) + limits.MOST_THREADS if threads else 0)
        kernel.give_up_rights()
        if self._filtered:
            landlock.restrict(self._rules)
            kernel.install_filter(seccomp.program(os.getpid(), threads))
        else:
            with contextlib.suppress(OSError):
                kernel.install_filter(seccomp.program(os.getpid(), threads))


def make(tier: str, proc: int) -> Cell:
    """A cell of the tier; `proc` is a descriptor of /proc. Raises OSError where the tier doesn't work here."""
    return Namespaces(proc) if tier == "namespaces" else Restricted(proc, files=tier == "landlock")


def moved(descriptor: int, least: int) -> int:
    """The descriptor under a number from `least` on."""
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    os.close(descriptor)
    return higher


def _open_library_to_nobody() -> None:
    """A library that lies where only root may go is reached through an open descriptor instead of its path."""
    for index, path in enumerate(sys.path):
        if os.path.isdir(path) and not _everybody_may_enter(path):
            sys.path[index] = f"/proc/self/fd/{moved(os.open(path, os.O_PATH | os.O_DIRECTORY), KEPT)}"
    sys.path_importer_cache.clear()


def _everybody_may_enter(path: str) -> bool:
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True
