"""The system-call filter, run here instruction by instruction, for both machines that it knows."""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from prism.score.sandbox.inside import numbers, seccomp

ALLOWED, REFUSED, UNKNOWN, KILLED = "allowed", "refused", "unknown", "killed"
_MEANING = {0x7FFF0000: ALLOWED, 0x50001: REFUSED, 0x50019: REFUSED, 0x50026: UNKNOWN, 0x80000000: KILLED}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_OTHERS = """
socket 41 198, connect 42 203, socketpair 53 199, fork 57 -, vfork 58 -, execve 59 221, execveat 322 281,
ptrace 101 117, mount 165 40, unshare 272 97, setns 308 268, chroot 161 51, bpf 321 280, io_uring_setup 425 425,
keyctl 250 219,
memfd_create 319 279, shmget 29 194, setuid 105 146, setresuid 117 147, capset 126 91, prctl 157 167, chmod 90 -,
fchmodat 268 53, truncate 76 45, pidfd_open 434 434, tkill 200 130, process_vm_readv 310 270, rt_sigqueueinfo 129 138,
seccomp 317 277, setsid 112 157, wait4 61 260, setrlimit 160 164, userfaultfd 323 282, perf_event_open 298 241
"""
OTHERS = [entry.split() for entry in _OTHERS.replace("\n", " ").split(",")]
"""Calls that no program needs, with their numbers on both machines."""


@pytest.fixture(params=ARCHITECTURES)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=request.param))
    _reload()
    yield request.param
    monkeypatch.undo()
    _reload()


def _reload() -> list[ModuleType]:
    return [importlib.reload(numbers), importlib.reload(seccomp)]


def verdict(machine: str, number: int, *arguments: int, threads: bool = True, architecture: int = 0) -> str:
    """What the kernel would do with the call."""
    packed = struct.pack("<iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *(*arguments, *[0] * 6)[:6])
    code = list(struct.iter_unpack("HBBI", seccomp.program(7, threads)))
    at, value = 0, 0
    while True:
        what, yes, no, constant = code[at]
        at += 1
        if what == 0x20:
            (value,) = struct.unpack_from("<I", packed, constant)
        elif what == 0x06:
            return _MEANING[constant]
        else:
            true = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[what]
            at += yes if true else no


def test_what_a_program_needs_is_allowed(machine: str) -> None:
    for name in ("read", "write", "openat", "close", "mmap", "futex", "exit_group", "clock_gettime", "getrandom"):
        assert verdict(machine, numbers.NUMBERS[name]) == ALLOWED, name


def test_the_rest_is_refused(machine: str) -> None:
    for name, *columns in OTHERS:
        number = columns[list(ARCHITECTURES).index(machine)]
        assert number == "-" or verdict(machine, int(number)) in (REFUSED, UNKNOWN), name
    allowed = [number for number in range(700) if verdict(machine, number, 7) == ALLOWED]
    special = {numbers.NUMBERS[name] for name in ("kill", "tgkill", "fcntl", "ioctl")}
    assert set(allowed) <= set(numbers.PLAIN.values()) | special
    assert verdict(machine, 10_000) == UNKNOWN


def test_signals_go_to_oneself_alone(machine: str) -> None:
    for name in ("kill", "tgkill"):
        assert verdict(machine, numbers.NUMBERS[name], 7, 9) == ALLOWED
        for other in (0, 1, 8, 2**32 - 1):
            assert verdict(machine, numbers.NUMBERS[name], other, 9) == REFUSED


def test_threads_are_no_processes(machine: str) -> None:
    thread, clone = 0x3D0F00, numbers.NUMBERS["clone"]
    assert verdict(machine, clone, thread) == ALLOWED
    assert verdict(machine, clone, thread, threads=False) == REFUSED
    assert verdict(machine, clone, 17) == REFUSED
    assert verdict(machine, clone, thread | 0x10000000) == REFUSED
    assert verdict(machine, numbers.NUMBERS["clone3"]) == UNKNOWN


def test_limits_are_read_and_not_set(machine: str) -> None:
    limit = numbers.NUMBERS["prlimit64"]
    assert verdict(machine, limit, 0, 9, 0, 1234) == ALLOWED
    assert verdict(machine, limit, 0, 9, 1234, 0) == REFUSED
    assert verdict(machine, limit, 0, 9, 1 << 32, 0) == REFUSED
    assert verdict(machine, limit, 8, 9, 0, 1234) == REFUSED


def test_a_file_sends_no_signals(machine: str) -> None:
    fcntl, ioctl = numbers.NUMBERS["fcntl"], numbers.NUMBERS["ioctl"]
    assert verdict(machine, fcntl, 3, 1) == ALLOWED
    for command in (8, 10, 15, 1024, 1026, 1031):
        assert verdict(machine, fcntl, 3, command) == REFUSED
    for command in (0x5412, 0x8901, 0x8902):
        assert verdict(machine, ioctl, 3, command) == REFUSED


def test_another_architectures_calls_end_the_process(machine: str) -> None:
    assert verdict(machine, numbers.NUMBERS["read"], architecture=0x40000003) == KILLED
    assert verdict("x86_64", 0x40000000 | 41, architecture=ARCHITECTURES[machine]) == REFUSED
