"""Whether a tier holds on this machine: a program tries to get out, and what it reached is looked at."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from prism.score.sandbox.inside import values
from prism.score.sandbox.server import ForkServer

_SECONDS = 10.0
_MEMORY = 1 << 29

_PROGRAM = """
def reached(secret, folder, parent):
    import os, socket
    attempts = {
        "read a file outside": lambda: open(secret).read(),
        "write a file outside": lambda: open(os.path.join(folder, "written"), "w").write("x"),
        "list a folder outside": lambda: os.listdir(folder),
        "read /etc/passwd": lambda: open("/etc/passwd").read(),
        "read /proc": lambda: os.listdir("/proc/1"),
        "open a socket": lambda: socket.socket(),
        "start a process": lambda: os.fork() or os._exit(0),
        "signal another process": lambda: os.kill(parent, 0),
        "replace the program": lambda: os.execv("/bin/true", ["true"]),
    }
    found = []
    for name, attempt in attempts.items():
        try:
            attempt()
            found.append(name)
        except Exception:
            pass
    return [found, sum(range(7))]
"""


def what_fails(server: ForkServer) -> str:
    """What a program reached from within, or "" where that is nothing and an innocent one works.

    Raises:
        ServerDied, Refused: the tier can't be set up.
    """
    with tempfile.TemporaryDirectory(prefix="prism-probe-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        secret = folder / "secret"
        secret.write_text("x")
        secret.chmod(0o644)
        inputs = values.dumps([[str(secret), name, os.getpid()]])
        request = {"role": "call", "program": _PROGRAM, "name": "reached", "inputs": inputs}
        outcome = server.run(request, _SECONDS, _MEMORY)
    if outcome.codes != (0,) or not outcome.output:
        return f"a program that should work ended with code {outcome.codes[0]}"
    answer = json.loads(outcome.output)
    if not answer[0]:
        return "a program that should work failed"
    reached, total = values.loads(answer[0])
    if total != 21:
        return "a program's result is wrong"
    return f"from within, a program could {', '.join(reached)}" if reached else ""
