"""`python without.py namespaces,landlock PROGRAM`: runs Python source on a machine that refuses these, by a filter."""

from __future__ import annotations

import struct
import sys

from prism.score.sandbox.inside import kernel
from prism.score.sandbox.inside.numbers import NUMBERS

_NAMESPACES = 0x7E020080
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x50001, 0x50026


def deny(names: list[str]) -> None:
    """For this process and its children."""
    code = [(0x20, 0, 0, 0)]
    if "namespaces" in names:
        code += [(0x15, 0, 1, NUMBERS["unshare"]), (6, 0, 0, _EPERM)]
        code += [(0x15, 0, 4, NUMBERS["clone"]), (0x20, 0, 0, 16), (0x45, 0, 1, _NAMESPACES), (6, 0, 0, _EPERM)]
        code += [(6, 0, 0, _ALLOW)]
    if "landlock" in names:
        code += [(0x15, 0, 1, NUMBERS["landlock_create_ruleset"]), (6, 0, 0, _ENOSYS)]
    code += [(6, 0, 0, _ALLOW)]
    kernel._prctl(38, 1)
    kernel.install_filter(b"".join(struct.pack("HBBI", *line) for line in code))


if __name__ == "__main__":
    deny(sys.argv[1].split(","))
    exec(compile(sys.argv[2], "program", "exec"), {"__name__": "__main__"})
