"""Compares answers with math-verify: reads `[gold, answer]`, a JSON line each, answers true or false.

Started by prism.score.math. math-verify's own timeouts are off: they need signal handlers, which don't run while a
huge number is computed. The kernel ends this process instead, when a comparison takes too much CPU time, and the
parent should that fail.
"""

import json
import resource
import signal
import sys

from math_verify import parse, verify

_CPU_SECONDS = 3.0
_MEMORY = 4 << 30


def main() -> None:
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        gold, answer = json.loads(line)
        signal.setitimer(signal.ITIMER_VIRTUAL, _CPU_SECONDS)
        try:
            parsed = [parse(f"${text}$", parsing_timeout=None) for text in (gold, answer)]
            same = bool(verify(parsed[0], parsed[1], timeout_seconds=None))
        except Exception:
            same = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    main()
