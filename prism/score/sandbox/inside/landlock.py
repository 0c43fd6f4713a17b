"""Landlock: a process gives up all files but some, and TCP, signals and abstract sockets where the kernel can."""

import contextlib
import os
import stat
import struct
from collections.abc import Iterable

from . import kernel

_WRITE_FILE, _READ_FILE, _READ_FOLDER = 2, 4, 8
_ASK_VERSION = 1
_BENEATH = 1


def ruleset(readable: Iterable[str], writable_files: Iterable[str]) -> int:
    """A descriptor for `restrict`: the folders and files may be read, and the files of the second list written.

    Raises:
        OSError: this kernel has no Landlock, or it is switched off.
    """
    version = kernel.call("landlock_create_ruleset", None, 0, _ASK_VERSION)
    files = (1 << 13) - 1 | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    fields = [files, *([3] if version >= 4 else []), *([3] if version >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    rules = kernel.call("landlock_create_ruleset", attributes, len(attributes), 0)
    for path in readable:
        _allow(rules, path, _READ_FILE | _READ_FOLDER)
    for path in writable_files:
        _allow(rules, path, _READ_FILE | _WRITE_FILE)
    return rules


def restrict(rules: int) -> None:
    """Holds from here on, for this process. Needs `kernel.give_up_rights` first."""
    kernel.call("landlock_restrict_self", rules, 0)


def _allow(rules: int, path: str, access: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            folder = stat.S_ISDIR(os.fstat(place).st_mode)
            wanted = access if folder else access & ~_READ_FOLDER
            kernel.call("landlock_add_rule", rules, _BENEATH, struct.pack("=Qi", wanted, place), 0)
        finally:
            os.close(place)
