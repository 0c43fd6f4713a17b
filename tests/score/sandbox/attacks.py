"""Programs that try to get out. Each defines `attack(world)`; something true that it returns is an escape.

None harms the machine where it succeeds, but for the time, memory and processes that some take.
`world` is the dict that `World.as_seen_from_within` makes.
"""

from __future__ import annotations

C_LIBRARY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(number, *arguments):
    if MACHINE != "x86_64":
        raise OSError("numbers are those of x86_64")
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
MACHINE = os.uname().machine
"""

TRY = """
def tries(*functions):
    reached = []
    for number, function in enumerate(functions):
        try:
            found = function()
            reached.append([number, repr(found)[:200]])
        except Exception:
            pass
    return reached
"""

DISRUPTS = {
    "fork bomb": """
def attack(world):
    import os
    made = 0
    for _ in range(200):
        try:
            if os.fork() == 0:
                while True: os.fork()
            made += 1
        except OSError: pass
    return made
""",
    "vfork and posix_spawn": """
def attack(world):
    import os
    return tries(lambda: os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}),
                 lambda: os.system("sleep 1000 &") == 0 or 1 / 0,
                 lambda: __import__("subprocess").Popen(["sleep", "1000"]),
                 lambda: os.popen("id").read() or 1 / 0)
""",
    "thread bomb": """
def attack(world):
    import threading, time
    threading.stack_size(32768)
    made = []
    try:
        for _ in range(5000):
            made.append(threading.Thread(target=time.sleep, args=(60,), daemon=True))
            made[-1].start()
    except BaseException: pass
    return len(made) > 500 and len(made)
""",
    "memory bomb": """
def attack(world):
    hoard = []
    try:
        while True: hoard.append(bytearray(1 << 24))
    except MemoryError: pass
    return len(hoard) << 24 > (600 << 20)
""",
    "memory bomb in shared mappings": """
def attack(world):
    import mmap
    hoard = []
    try:
        while True:
            hoard.append(mmap.mmap(-1, 1 << 24))
            hoard[-1].write(b"x" * (1 << 24))
    except (MemoryError, OSError): pass
    return len(hoard) << 24 > (600 << 20)
""",
    "memory bomb in files without names": """
def attack(world):
    import os
    kept, size = [], 0
    try:
        while size < 200 << 20:
            kept.append(os.memfd_create("hoard"))
            size += os.write(kept[-1], b"x" * (1 << 20))
    except OSError: pass
    return size
""",
    "disk filler": """
def attack(world):
    import os
    size = 0
    for folder in (".", "/tmp", "/dev/shm", "/var/tmp", world["folder"]):
        try:
            for number in range(10000):
                with open(os.path.join(folder, f"fill{number}"), "wb") as file:
                    for _ in range(64): size += file.write(b"x" * (1 << 20))
        except OSError: pass
    return size > (32 << 20) and size
""",
    "inode filler": """
def attack(world):
    import os
    made = 0
    for folder in (".", "/tmp", "/dev/shm", world["folder"]):
        try:
            for number in range(100000):
                os.mkdir(os.path.join(folder, f"fill{number}"))
                made += 1
        except OSError: pass
    return made > 2000 and made
""",
    "endless loop": "def attack(world):\n    while True: pass\n",
    "endless loop in C": "def attack(world):\n    return sum(iter(int, 1))\n",
    "endless regular expression": """
def attack(world):
    import re
    return bool(re.match("(a+)+$", "a" * 64 + "b"))
""",
    "sleep": "def attack(world):\n    import time\n    time.sleep(1000)\n",
    "all signals ignored": """
def attack(world):
    import signal, time
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    time.sleep(1000)
""",
    "endless output": """
def attack(world):
    import os
    while True:
        print("x" * 65536)
        os.write(1, b"x")
""",
    "endless output to the answer": """
def attack(world):
    import os
    while True:
        for number in range(3, 64):
            try: os.write(number, b"x" * 65536)
            except OSError: pass
""",
    "an answer of 64 MiB": "def attack(world):\n    return 'x' * (1 << 26)\n",
    "a long answer that takes long to read": "def attack(world):\n    return {i * (2**61 - 1) for i in range(40000)}\n",
    "deep recursion": """
def attack(world):
    import sys
    sys.setrecursionlimit(10**9)
    class A:
        def __repr__(self): return repr(self)
    return repr(A())
""",
    "deeply nested answer": """
def attack(world):
    nest = []
    for _ in range(10**5): nest = [nest]
    return nest
""",
    "segmentation fault": "def attack(world):\n    import ctypes\n    ctypes.string_at(0)\n",
    "abort": "def attack(world):\n    import os\n    os.abort()\n",
    "daemon": """
def attack(world):
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
    return "forked"
""",
    "process group of its own": """
def attack(world):
    import os
    return tries(os.setsid, os.setpgrp, lambda: os.setpgid(0, 0))
""",
    "descriptors closed and written": """
def attack(world):
    import os
    for number in range(3, 256):
        try: os.write(number, b'{"ready": "x", "codes": [0], "refused": "no"}' + bytes([10]))
        except OSError: pass
    os.closerange(0, 1 << 16)
""",
    "leaves as if its container failed": """
def attack(world):
    import os
    for number in range(3, 64):
        try: os.write(number, b"PermissionError: no namespaces")
        except OSError: pass
    os._exit(125)
""",
}

REACHES_OUT = {
    "kill the parent": """
def attack(world):
    import os, signal
    signals = lambda number: tries(*[lambda pid=pid: os.kill(pid, number) for pid in world["pids"]])
    return signals(0) or signals(signal.SIGSTOP) or signals(9)
""",
    "kill what its parent's number says": """
def attack(world):
    import os
    return tries(lambda: os.kill(os.getppid() or 1 / 0, 9), lambda: os.killpg(os.getpgid(0) or 1 / 0, 0))
""",
    "kill all": """
def attack(world):
    import os, signal
    kill = lambda number: tries(lambda: os.kill(-1, number), lambda: os.kill(0, number))
    return kill(0) or kill(signal.SIGSTOP) or kill(9)
""",
    "signal by file owner": """
def attack(world):
    import os, fcntl, signal
    reader, writer = os.pipe()
    def own(pid):
        fcntl.fcntl(reader, 10, signal.SIGKILL)
        fcntl.fcntl(reader, fcntl.F_SETOWN, pid)
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
        os.write(writer, b"x")
    return tries(*[lambda pid=pid: own(pid) for pid in world["pids"]])
""",
    "signal by ioctl": """
def attack(world):
    import os, fcntl, struct
    reader, writer = os.pipe()
    return tries(*[lambda pid=pid: fcntl.ioctl(reader, 0x8901, struct.pack("i", pid)) for pid in world["pids"]])
""",
    "signal by pidfd and by queue": C_LIBRARY
    + """
def attack(world):
    import ctypes, signal
    info = ctypes.create_string_buffer(128)
    return tries(*[lambda pid=pid: call(434, pid, 0) for pid in world["pids"]],
                 *[lambda pid=pid: call(129, pid, 9, info) for pid in world["pids"]],
                 *[lambda pid=pid: call(200, pid, 9) for pid in world["pids"]])
""",
    "tcp": """
def attack(world):
    import socket
    def send():
        with socket.create_connection(("127.0.0.1", world["tcp"]), 1) as sock: sock.send(b"hello")
    return tries(send)
""",
    "udp": """
def attack(world):
    import socket
    def send(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", world["udp"]))
    return tries(send)
""",
    "unix sockets": """
def attack(world):
    import socket
    def connect(name):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(name)
        sock.send(b"hello")
    return tries(lambda: connect(world["unix"]), lambda: connect(chr(0) + world["abstract"]),
                 lambda: connect("/run/systemd/journal/stdout"), lambda: connect("/var/run/docker.sock"))
""",
    "datagram through a pair of sockets": """
def attack(world):
    import socket
    def send():
        first, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        first.sendto(b"hello", world["unix"] + ".datagram")
    return tries(send, lambda: socket.socketpair())
""",
    "netlink, raw and packet sockets": """
def attack(world):
    import socket
    return tries(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
                 lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
                 lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), lambda: socket.socket(socket.AF_VSOCK))
""",
    "names looked up": """
def attack(world):
    import socket
    return tries(lambda: socket.getaddrinfo("example.org", 80) or 1 / 0)
""",
    "files read": """
def attack(world):
    import os, glob
    read = lambda path: open(path, "rb").read(100) or 1 / 0
    known = {*os.__file__.split("/"), "etc", "ld.so.cache", "dev", "proc", "tmp", "lib", "lib64", "usr", "root"}
    strangers = lambda path: set(os.listdir(path)) - known or 1 / 0
    return tries(lambda: read(world["secret"]), lambda: read("/etc/shadow"), lambda: read("/etc/passwd"),
                 lambda: read("/etc/hostname"), lambda: os.listdir(world["folder"]), lambda: strangers("/root"),
                 lambda: os.listdir("/home") or 1 / 0, lambda: read(world["folder"] + "/../../../etc/passwd"),
                 lambda: strangers("/etc"), lambda: strangers("/"), lambda: read("/etc/ssl/openssl.cnf"),
                 lambda: os.open(world["secret"], os.O_RDONLY), lambda: os.listdir("/sys"),
                 lambda: read("/dev/mem"), lambda: read("/dev/vda"), lambda: os.listdir("/dev/shm"))
""",
    "files written": """
def attack(world):
    import os
    here = world["folder"]
    def write(path): open(path, "w").write("x")
    def nameless(folder): return os.open(folder, os.O_WRONLY | os.O_TMPFILE)  # leaves nothing if it works
    folders = ("/", "/etc", "/usr/lib", "/root", "/dev", "/dev/shm", "/var/tmp", os.path.dirname(os.__file__))
    return tries(lambda: write(here + "/new"), lambda: write(world["victim"]), lambda: open(world["victim"], "a"),
                 lambda: os.truncate(world["victim"], 0), lambda: os.remove(world["victim"]),
                 lambda: os.rename(world["victim"], here + "/b"), lambda: os.mkdir(here + "/d"),
                 lambda: os.mkfifo(here + "/f"), lambda: nameless(here), *[lambda f=f: nameless(f) for f in folders],
                 lambda: os.open(os.__file__, os.O_WRONLY), lambda: os.open("/etc/passwd", os.O_WRONLY))
""",
    "rights and owners changed": """
def attack(world):
    import os
    return tries(lambda: os.chmod(world["victim"], 0o777), lambda: os.chown(world["victim"], 0, 0),
                 lambda: os.utime(world["victim"], (0, 0)), lambda: os.setxattr(world["victim"], "user.x", b"x"),
                 lambda: os.chmod(world["folder"], 0))
""",
    "links": """
def attack(world):
    import os
    def through(make, name):
        make(world["secret"], name)
        return open(name).read()
    return tries(lambda: through(os.symlink, "soft"), lambda: through(os.link, "hard"),
                 lambda: os.link(world["victim"], world["folder"] + "/hard"),
                 lambda: os.symlink(world["secret"], world["folder"] + "/soft"),
                 lambda: open("/proc/self/root" + world["secret"]).read(),
                 lambda: open("/proc/self/cwd/../" + world["secret"]).read())
""",
    "descriptors inherited": """
def attack(world):
    import os
    def climb(number):
        for up in ("..", "../..", "../../../../../../../.."):
            try: found = os.listdir(os.open(up, os.O_RDONLY, dir_fd=number))
            except OSError: continue
            libraries = ("fractions.py", os.path.basename(os.path.dirname(os.__file__)))
            if not any(name in found for name in libraries): return found  # Python's libraries may be read
        raise OSError
    found = tries(*[lambda n=n: climb(n) for n in range(0, 300)],
                  *[lambda n=n: os.open(world["secret"].lstrip("/"), os.O_RDONLY, dir_fd=n) for n in range(0, 300)],
                  *[lambda n=n: os.fchdir(n) or os.listdir("../../..") for n in range(0, 300)])
    return found
""",
    "other processes looked at": """
def attack(world):
    import os
    read = lambda path: open(path, "rb").read(100) or 1 / 0
    pids = [*world["pids"], 1, os.getppid()]
    parts = ("environ", "cmdline", "mem", "maps", "status", "fd/0", "root/etc/passwd")
    return tries(*[lambda p=p, f=f: read(f"/proc/{p}/{f}") for p in pids for f in parts],
                 lambda: [n for n in os.listdir("/proc") if n.isdigit()][0])
""",
    "memory of others": C_LIBRARY
    + """
def attack(world):
    import ctypes
    text = ctypes.create_string_buffer(64)
    class Vector(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    here = Vector(ctypes.addressof(text), 64)
    address = ctypes.addressof(here)
    return tries(*[lambda p=p: call(101, 16, p, 0, 0) for p in world["pids"]],
                 *[lambda p=p: call(0x65, 0x4206, p, 0, 0) for p in world["pids"]],
                 *[lambda p=p: call(310, p, address, 1, address, 1, 0) for p in world["pids"]],
                 *[lambda p=p: call(312, p, p, 0, 0, 0) for p in world["pids"]], lambda: call(101, 0, 0, 0, 0))
""",
    "other programs executed": """
def attack(world):
    import os, sys
    return tries(lambda: os.execv("/bin/sh", ["sh", "-c", "id"]), lambda: os.execv(sys.executable, ["python"]),
                 lambda: os.execve(os.open("/usr/lib", os.O_RDONLY), ["x"], {}))
""",
    "a program from memory": C_LIBRARY
    + """
def attack(world):
    import os
    def run():
        number = call(319, b"x", 0)
        os.write(number, b"#!/bin/sh" + bytes([10]))
        return call(322, number, b"", 0, 0, 0x1000)
    return tries(run, lambda: call(319, b"x", 0), lambda: call(322, 0, b"", 0, 0, 0x1000), lambda: call(447, 0))
""",
    "namespaces and mounts": C_LIBRARY
    + """
def attack(world):
    spaces = (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000, 0x80)
    return tries(*[lambda f=f: call(272, f) for f in spaces],
                 *[lambda f=f: call(56, f | 17, 0, 0, 0, 0) for f in spaces],
                 lambda: call(435, (11 * 8).to_bytes(88, "little"), 88), lambda: call(308, 0, 0),
                 lambda: call(165, b"/", b"/tmp", 0, 4096, 0), lambda: call(165, b"tmpfs", b"/tmp", b"tmpfs", 0, 0),
                 lambda: call(165, 0, b"/", 0, 32 | 4096, 0), lambda: call(166, b"/tmp", 2),
                 lambda: call(428, -100, b"/", 1),
                 lambda: call(430, b"tmpfs", 0), lambda: call(442, -100, b"/", 0, bytes(32), 32),
                 lambda: call(155, b".", b"."))
""",
    "another root": """
def attack(world):
    import os
    def leave():
        os.makedirs("x", exist_ok=True)
        os.chroot("x")
        for _ in range(64): os.chdir("..")
        os.chroot(".")
        return open(world["secret"]).read()
    return tries(leave, lambda: os.chroot("/"))
""",
    "another user": """
def attack(world):
    import os
    uid = os.getuid()
    return tries(lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]),
                 lambda: os.setreuid(uid, 0), lambda: os.seteuid(0), lambda: os.setegid(0))
""",
    "capabilities": C_LIBRARY
    + """
def attack(world):
    header = (0x20080522).to_bytes(4, "little") + bytes(4)
    return tries(lambda: call(126, header, b"\\xff" * 24), lambda: call(157, 47, 2, 21, 0, 0),
                 lambda: call(157, 8, 1, 0, 0, 0),
                 lambda: call(157, 28, 0, 0, 0, 0), lambda: call(157, 1, 0, 0, 0, 0), lambda: call(157, 4, 1, 0, 0, 0))
""",
    "limits raised": """
def attack(world):
    import resource
    whole = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    kinds = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE)
    return tries(*[lambda k=k: resource.setrlimit(k, whole) for k in kinds],
                 *[lambda k=k: resource.prlimit(0, k, whole) for k in kinds],
                 *[lambda k=k, p=p: resource.prlimit(p, k, (0, 0)) for k in kinds for p in world["pids"]],
                 lambda: __import__("os").nice(-5), lambda: __import__("os").sched_setaffinity(0, {0}))
""",
    "rings, filters and keys": C_LIBRARY
    + """
def attack(world):
    return tries(lambda: call(425, 8, bytes(120)), lambda: call(426, 0, 1, 0, 0, 0, 0), lambda: call(427, 0, 0, 0, 0),
                 lambda: call(321, 5, bytes(128), 128), lambda: call(250, 0, -3, 1),
                 lambda: call(248, b"user", b"x", b"y", 1, -3),
                 lambda: call(323, 0), lambda: call(298, bytes(128), 0, -1, -1, 0), lambda: call(317, 1, 0, bytes(16)),
                 lambda: call(444, 0, 0, 1), lambda: call(300, 0, 0), lambda: call(253),
                 lambda: call(304, -100, bytes(16), 0))
""",
    "the kernel's own": C_LIBRARY
    + """
def attack(world):
    import errno
    def reached(number):
        try: return call(number, 0, 0, 0, 0, 0, 0)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOSYS): raise
            return error  # it was the arguments that the kernel didn't like
    # reboot, modules, clock, swap, kexec, ports, quota, nfs, fanotify: with arguments that change nothing
    numbers = (169, 175, 313, 176, 227, 159, 164, 305, 167, 168, 246, 320, 172, 173, 179, 180, 300)
    return tries(*[lambda n=n: reached(n) for n in numbers])
""",
    "32-bit calls": C_LIBRARY
    + """
def attack(world):
    return tries(lambda: call(0x40000000 | 41, 2, 1, 0), lambda: call(0x40000000 | 57))
""",
    "memory shared with others": C_LIBRARY
    + """
def attack(world):
    from multiprocessing import shared_memory
    return tries(lambda: shared_memory.SharedMemory(world["shared"]).name,
                 lambda: shared_memory.SharedMemory(world["shared"] + "x", True, 64).name,
                 lambda: call(29, world["key"], 4096, 0o1666), lambda: call(29, world["key"], 4096, 0),
                 lambda: call(68, world["key"], 0o1666), lambda: call(64, world["key"], 1, 0o1666),
                 lambda: call(240, b"prism-test", 0o102, 0o666, 0))
""",
    "the terminal": """
def attack(world):
    import os, fcntl, termios
    def push():
        number = os.open("/dev/tty", os.O_RDWR)
        fcntl.ioctl(number, termios.TIOCSTI, b"x")
    return tries(push, *[lambda n=n: fcntl.ioctl(n, termios.TIOCSTI, b"x") for n in range(10)])
""",
    "the environment": """
def attack(world):
    import os
    raw = b""
    try: raw = open("/proc/self/environ", "rb").read()
    except OSError: pass
    strange = [part for part in raw.split(bytes(1)) if part and not part.startswith(b"PYTHONHASHSEED")]
    return list(os.environ) or strange
""",
    "the environment in memory": """
def attack(world):
    import ctypes
    here = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found, number = [], 0
    while here and here[number]:
        found.append(here[number])
        number += 1
    return [part for part in found if not part.startswith((b"PYTHONHASHSEED=", b"LD_LIBRARY_PATH="))]
""",
}

ATTACKS = {name: TRY + source for name, source in {**DISRUPTS, **REACHES_OUT}.items()}
"""All of them, by name."""
