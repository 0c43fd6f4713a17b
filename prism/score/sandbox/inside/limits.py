"""Limits of a program's process, and the user that it runs as."""

import contextlib
import math
import os
import resource

NOBODY = 65_534
MOST_THREADS = 32
_FILES = 64


def take(seconds: float, memory_bytes: int, file_bytes: int, tasks: int) -> None:
    """CPU time (rounded up to whole seconds), address space, size of a file, and tasks of this user; no way back."""
    cpu = max(1, math.ceil(seconds))
    wanted = {
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NPROC: tasks,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 256,
    }
    for limit, value in wanted.items():
        most = resource.getrlimit(limit)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (value, value))


def become_nobody(proc: int) -> bool:
    """Root becomes nobody; whether the number of this user's tasks can be limited from here on.

    The kernel limits everybody's but root's. Root of a container that is an ordinary user outside, and root without
    the right to change user, stay what they are. `proc` is a descriptor of /proc.
    """
    if os.getuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        file = os.open("self/uid_map", os.O_RDONLY, dir_fd=proc)
        first, outside, *_ = os.read(file, 1_000).split()
        os.close(file)
        return first == b"0" and outside != b"0"
    return True


def tasks_of(user: int) -> int:
    """Processes and threads of a user, as far as /proc shows them."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == user:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count
