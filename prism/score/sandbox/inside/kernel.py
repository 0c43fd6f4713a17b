"""System calls that Python doesn't offer, through the C library."""

import ctypes
import os
import signal

from .numbers import NUMBERS

NEW_MOUNTS, NEW_HOST_NAME, NEW_IPC = 0x20000, 0x4000000, 0x8000000
NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
_DETACH = 2
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_FROM_BOUND, _NO_NEW_PRIVILEGES, _SET_FILTER = 1, 4, 24, 38, 22
_AT_RECURSIVE = 0x8000
_CAPABILITY_VERSION_3 = 0x20080522

# PyDLL keeps the interpreter's lock: a cloned process must not wait for a thread that it doesn't have.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def call(name: str, *arguments: int | bytes | None) -> int:
    """The system call's result. Raises OSError; ENOSYS for one that this machine doesn't have."""
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_libc.syscall(ctypes.c_long(NUMBERS[name]), *wide), name)


def clone(namespaces: int) -> int:
    """Like os.fork, with a new namespace for each flag. The handlers of os.register_at_fork aren't called."""
    return call("clone", namespaces | signal.SIGCHLD, 0, 0, 0, 0)


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    named = [text.encode() if text is not None else None for text in (source, target, kind)]
    _checked(_libc.mount(*named, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def freeze_mount(target: str) -> None:
    """Makes a bind mount, with all below it, read-only, without devices and set-user-ID programs."""
    attributes = (READ_ONLY | NO_SUID | NO_DEVICES).to_bytes(8, "little") + bytes(24)
    try:
        call("mount_setattr", -100, target.encode(), _AT_RECURSIVE, attributes, len(attributes))
    except OSError:  # before Linux 5.12, where what is mounted below stays as it is
        kept = os.statvfs(target).f_flag & (NO_EXEC | 1024 | 2048)  # noatime and nodiratime: they may be locked
        relative = (1 << 21) if os.statvfs(target).f_flag & 4096 else 0
        flags = REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES | kept | relative
        mount(None, target, None, flags)


def enter_root(target: str) -> None:
    """Makes `target`, a mount point, the root, and takes the old root away."""
    os.chdir(target)
    call("pivot_root", b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")


def die_with_parent() -> None:
    """Has to follow any change of user, which the kernel answers by forgetting it."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def own_proc_files() -> None:
    """After a change of user /proc/self belongs to root, unless the process may be looked into again."""
    _prctl(_SET_DUMPABLE, 1)


def give_up_rights() -> None:
    """No capability, and none to gain; no look into this process by others of its user; no life after its parent."""
    for capability in range(64):
        if _libc.prctl(_DROP_FROM_BOUND, ctypes.c_ulong(capability), 0, 0, 0):
            break  # past the last one, or an ordinary user, who has none
    call("capset", _CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4), bytes(24))
    _prctl(_NO_NEW_PRIVILEGES, 1)
    _prctl(_SET_DUMPABLE, 0)
    die_with_parent()


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def install_filter(instructions: bytes) -> None:
    """Needs `give_up_rights` first."""
    packed = _Filter(len(instructions) // 8, instructions)
    _checked(_libc.prctl(_SET_FILTER, 2, ctypes.byref(packed), 0, 0), "seccomp")


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
