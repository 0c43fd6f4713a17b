"""The system-call filter: what isn't named here is refused. Classic BPF, as the kernel takes it."""

import errno
import struct
from functools import lru_cache

from .numbers import MACHINE, MACHINES, NUMBERS, PLAIN

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_THREAD, _NAMESPACES = 0x10000, 0x7E020080
_X32 = 0x40000000
_NEWER = 440
"""Calls from here on are "not implemented" to a program, so that a newer C library falls back to older ones."""

_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)
"""Duplicate, flags, locks, size of a pipe. Not F_SETOWN and F_SETSIG, which send signals to other processes."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Is it a terminal, its size, bytes to read, non-blocking, close on exec."""

Instruction = tuple[int, int, int, int]


@lru_cache(maxsize=4)
def program(process: int, threads: bool) -> bytes:
    """The filter of the process with this id (its own, as it sees it): signals go to itself alone, no new processes.

    Raises:
        OSError: the filter doesn't know this machine's system calls.
    """
    if MACHINE not in MACHINES:
        raise OSError(errno.ENOSYS, f"no table of system calls for {MACHINE}")
    code: list[Instruction] = [
        _load(4),
        (_EQUAL, 1, 0, MACHINES[MACHINE][1]),
        _return(_KILL),
        _load(0),
        (_AT_LEAST, 0, 1, _X32),
        _return(_ERROR | errno.EPERM),
    ]
    own = _when_argument(0, (process,))
    code += _rule(NUMBERS["kill"], own)
    code += _rule(NUMBERS["tgkill"], own)
    code += _rule(NUMBERS["fcntl"], _when_argument(1, _FCNTL))
    code += _rule(NUMBERS["ioctl"], _when_argument(1, _IOCTL, errno.ENOTTY))
    code += _rule(NUMBERS["prlimit64"], _READ_OWN_LIMIT)
    code += _rule(NUMBERS["clone3"], [_return(_ERROR | errno.ENOSYS)])
    if threads:
        code += _rule(NUMBERS["clone"], _A_THREAD)
    code += _search(_actions())
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def _actions() -> list[tuple[int, int]]:
    """What happens to a call from each number on, up to the next; only where it changes."""
    plain = set(PLAIN.values())
    each = [_action(number, plain) for number in range(max(_NEWER, *plain) + 2)]
    return [(number, what) for number, what in enumerate(each) if number == 0 or what != each[number - 1]]


def _action(number: int, plain: set[int]) -> int:
    if number in plain:
        return _ALLOW
    return _ERROR | (errno.EPERM if number < _NEWER else errno.ENOSYS)


def _search(actions: list[tuple[int, int]]) -> list[Instruction]:
    """By halves: the kernel runs the filter for every number when it is installed, so its length is felt."""
    if len(actions) == 1:
        return [_return(actions[0][1])]
    middle = len(actions) // 2
    below, above = _search(actions[:middle]), _search(actions[middle:])
    return [(_AT_LEAST, len(below), 0, actions[middle][0]), *below, *above]


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _return(what: int) -> Instruction:
    return (_RETURN, 0, 0, what)


def _argument(index: int) -> Instruction:
    """The lower half, on machines that keep it first."""
    return _load(16 + 8 * index)


def _rule(number: int, body: list[Instruction]) -> list[Instruction]:
    """`body` ends in a return on every path."""
    return [(_EQUAL, 0, len(body), number), *body]


def _when_argument(index: int, values: tuple[int, ...], otherwise: int = errno.EPERM) -> list[Instruction]:
    checks: list[Instruction] = []
    for value in values:
        checks += [(_EQUAL, 0, 1, value), _return(_ALLOW)]
    return [_argument(index), *checks, _return(_ERROR | otherwise)]


_A_THREAD: list[Instruction] = [
    _argument(0),
    (_ANY_BIT, 0, 2, _THREAD),
    (_ANY_BIT, 1, 0, _NAMESPACES),
    _return(_ALLOW),
    _return(_ERROR | errno.EPERM),
]
_READ_OWN_LIMIT: list[Instruction] = [
    _argument(0),
    (_EQUAL, 0, 5, 0),
    _argument(2),
    (_EQUAL, 0, 3, 0),
    _load(16 + 8 * 2 + 4),
    (_EQUAL, 0, 1, 0),
    _return(_ALLOW),
    _return(_ERROR | errno.EPERM),
]
