"""A root folder of its own: Python's library and what it links to, read-only, four devices, an empty /tmp."""

import contextlib
import os
import stat
import sys

from . import kernel

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_NEW = "/tmp"


def library_paths() -> list[str]:
    """Folders and files that a program's imports may need, outermost first, none within another."""
    beside_python = os.path.dirname(os.path.dirname(os.__file__))  # what its extension modules link to
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    found = [*_LIBRARIES, beside_python, *(path for path in (*named, *sys.path) if os.path.isdir(path))]
    paths = sorted({os.path.normpath(path) for path in found if os.path.exists(path)})
    return [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]


def enter_new_root() -> None:
    """Needs a mount namespace of its own with the right to mount.

    What is bound is opened before /tmp is covered, as it may lie there.
    """
    kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    paths = [*library_paths(), *(path for path in _DEVICES if os.path.exists(path))]
    opened = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths if not os.path.islink(path)}
    links = {path: os.readlink(path) for path in paths if os.path.islink(path)}
    kernel.mount("tmpfs", _NEW, "tmpfs", kernel.NO_SUID, "size=1m,mode=755")
    for path, place in opened.items():
        _bind(f"/proc/self/fd/{place}", _NEW + path, stat.S_ISDIR(os.fstat(place).st_mode), path in _DEVICES)
        os.close(place)
    for path, target in links.items():
        os.makedirs(os.path.dirname(_NEW + path), exist_ok=True)
        os.symlink(target, _NEW + path)
    for path in ("/proc", "/tmp"):
        with contextlib.suppress(FileExistsError):
            os.makedirs(_NEW + path)
    kernel.enter_root(_NEW)
    kernel.mount(None, "/", None, kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES)


def _bind(source: str, target: str, folder: bool, device: bool) -> None:
    if folder:
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY, 0o444))
    kernel.mount(source, target, None, kernel.BIND | kernel.RECURSIVE)
    if not device:
        kernel.freeze_mount(target)
