"""Numbers of system calls on x86_64 and aarch64 (Linux: asm/unistd_64.h and asm-generic/unistd.h)."""

import os

MACHINE = os.uname().machine
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the tables below, and the name that a system-call filter sees (AUDIT_ARCH)."""

_PLAIN = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
open 2 -, openat 257 56, close 3 57, close_range 436 436, lseek 8 62, stat 4 -, fstat 5 80, lstat 6 -,
newfstatat 262 79, statx 332 291, access 21 -, faccessat 269 48, faccessat2 439 439, readlink 89 -,
readlinkat 267 78, getdents 78 -, getdents64 217 61, dup 32 23, dup2 33 -, dup3 292 24, flock 73 32,
fsync 74 82, fdatasync 75 83, ftruncate 77 46, getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -,
renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35,
link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, creat 85 -, umask 95 166, poll 7 -, ppoll 271 73,
select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -,
epoll_pwait 281 22, pipe 22 -, pipe2 293 59, eventfd2 290 19, sendfile 40 71, copy_file_range 326 285,
fallocate 285 47, statfs 137 43, fstatfs 138 44, fadvise64 221 223, mmap 9 222, munmap 11 215, mremap 25 216,
mprotect 10 226, madvise 28 233, brk 12 214, mincore 27 232, msync 26 227, clock_gettime 228 113,
clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169, time 201 -,
times 100 153, getitimer 36 102, setitimer 38 103, alarm 37 -, pause 34 -, rt_sigaction 13 134,
rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigsuspend 130 133, sigaltstack 131 132, rt_sigpending 127 136,
rt_sigtimedwait 128 137, restart_syscall 219 128, futex 202 98, set_robust_list 273 99,
set_tid_address 218 96, rseq 334 293, membarrier 324 283, sched_yield 24 124,
sched_getaffinity 204 123, gettid 186 178, exit 60 93, exit_group 231 94, arch_prctl 158 -, getpid 39 172,
getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158,
getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121 155, getsid 124 156, uname 63 160,
sysinfo 99 179, getrusage 98 165, getrlimit 97 163, getpriority 140 141, getcpu 309 168, getrandom 318 278
"""
_PARTLY = """
kill 62 129, tgkill 234 131, clone 56 220, clone3 435 435, prlimit64 302 261, fcntl 72 25, ioctl 16 29,
mount 165 40, umount2 166 39, pivot_root 155 41, unshare 272 97, capset 126 91,
landlock_create_ruleset 444 444, landlock_add_rule 445 445, landlock_restrict_self 446 446,
mount_setattr 442 442
"""


def _read(table: str) -> dict[str, int]:
    """This machine's numbers; a dash stands for a call that it doesn't have."""
    column = MACHINES.get(MACHINE, (0, 0))[0]
    rows = [entry.split() for entry in table.replace("\n", " ").split(",") if entry.strip()]
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}


PLAIN = _read(_PLAIN)
"""What a program may call with any arguments."""

NUMBERS = {**PLAIN, **_read(_PARTLY)}
"""All calls that this package names."""
