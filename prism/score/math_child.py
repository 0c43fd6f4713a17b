"""Compares answers with math-verify: reads `[gold, answer]`, a JSON line each, answers true or false.

Started by prism.score.math, which kills it when an input takes too long.
"""

import json
import sys

from math_verify import parse, verify


def main() -> None:
    for line in sys.stdin:
        gold, answer = json.loads(line)
        try:
            parsed = [parse(f"${text}$", parsing_timeout=None) for text in (gold, answer)]
            same = bool(verify(parsed[0], parsed[1], timeout_seconds=None))
        except Exception:
            same = False
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    main()
