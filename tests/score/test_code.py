"""Code is run in a child process, and compared here."""

from __future__ import annotations

from typing import Any

import pytest

from prism.score.code import verify_code

ADD = "def add(a, b):\n    return a + b\n"


def passes(program: str, test: str, cases: list[Any], **settings: Any) -> bool:
    verifier = {"kind": "code", "test": test, "cases": cases, **settings}
    return verify_code([{"prompt": "?", "answer": "", "verifier": verifier}], [program])[0]


def adds(program: str, **settings: Any) -> bool:
    return passes(program, "call", [[[1, 2], 3], [[5, 5], 10]], entry_point="add", **settings)


def maps(program: str) -> bool:
    return passes(program, "expression", [[x, (3 * x + 4) % 5] for x in range(5)], variable="x", modulus=5)


def doubles(program: str) -> bool:
    return passes(program, "stdin", [["3\n", "6\n"], ["4\n", "8\n"]])


@pytest.mark.parametrize("program", ["x * 3 + 4", "3 * x - 1", "( x + 3 ) * 3"])
def test_an_expression_is_right_when_it_agrees_on_every_x(program: str) -> None:
    assert maps(program)


@pytest.mark.parametrize("program", ["x * 3 + 3", "4", "'4'", "x *", "", "y", "x * 3.0 + 4", "print(1)"])
def test_an_expression_that_differs_anywhere_is_wrong(program: str) -> None:
    assert not maps(program)


def test_a_function_is_called_on_every_case() -> None:
    assert adds(ADD)
    assert adds(f"Here it is:\n```python\n{ADD}```\n")
    assert not adds("def add(a, b):\n    return 3\n")
    assert not adds("def sub(a, b):\n    return a + b\n")


def test_a_program_reads_standard_input_and_prints() -> None:
    assert doubles("print(int(input()) * 2)")
    assert not doubles("print(6)")
    assert not doubles("print(int(input()) * 2 + 1)")


CHEATS = {
    "leaves at once": "import os\nos._exit(0)\n",
    "leaves as a success": "import sys\nsys.exit(0)\n",
    "prints a token": "print('PASSED')\ndef add(a, b):\n    print(True)\n",
    "equals everything": "class Any:\n    def __eq__(self, other): return True\ndef add(a, b): return Any()\n",
    "a number that equals everything": "class Any(int):\n    def __eq__(self, other): return True\n"
    "    __hash__ = None\ndef add(a, b): return Any()\n",
    "writes to every descriptor": "import os\nfor number in range(3, 64):\n    try: os.write(number, b'[true, true]')\n"
    "    except OSError: pass\nos._exit(0)\n",
    "forks": "import os\ndef add(a, b):\n    while True: os.fork()\n",
    "takes all memory": "def add(a, b):\n    hoard = [0] * 10**10\n    return a + b\n",
    "fills memory bit by bit": "def add(a, b):\n    hoard = []\n    while True: hoard.append(bytearray(1 << 20))\n",
    "writes a file": "import tempfile\ndef add(a, b):\n    with tempfile.TemporaryFile() as file:\n"
    "        file.write(b'x' * 9999)\n        file.flush()\n    return a + b\n",
    "kills its parent": f"import os\nos.kill(os.getppid(), 9)\n{ADD}",
    "returns too much": "def add(a, b):\n    return 'x' * (1 << 22)\n",
    "nests too deeply": "def add(a, b):\n    nest = []\n    for _ in range(10**5): nest = [nest]\n    return nest\n",
}
HANGS = {
    "loops": "def add(a, b):\n    while True: pass\n",
    "sleeps": "import time\ndef add(a, b):\n    time.sleep(60)\n",
    "ignores signals": "import signal\nfor number in range(1, 65):\n    try: signal.signal(number, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\ndef add(a, b):\n    while True: pass\n",
}


@pytest.mark.parametrize("program", CHEATS.values(), ids=CHEATS)
def test_a_cheating_program_fails(program: str) -> None:
    assert not adds(program)
    assert adds(f"{ADD}# after the cheat")


@pytest.mark.parametrize("program", HANGS.values(), ids=HANGS)
def test_a_hanging_program_is_killed(program: str) -> None:
    assert not adds(program, seconds=0.5)
    assert adds(f"{ADD}# after the hang")


def test_expected_results_never_reach_the_program() -> None:
    spy = (
        "import gc, sys\n"
        "def add(a, b):\n"
        "    seen = [o for o in gc.get_objects() if isinstance(o, dict) and 'cases' in o]\n"
        "    frame, names = sys._getframe(), []\n"
        "    while frame:\n"
        "        names += list(frame.f_locals)\n"
        "        request = frame.f_locals.get('request')\n"
        "        if request and ('expected' in request or 'cases' in request): return a + b\n"
        "        frame = frame.f_back\n"
        "    return a + b if seen else None\n"
    )
    assert not adds(spy)
