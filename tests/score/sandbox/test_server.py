"""Fork servers die with their process, are replaced when they die, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from prism.score.sandbox import ForkServer, Outcome, Pool, ServerDied
from prism.score.sandbox.inside import values

from .world import servers_and_programs, state

SLEEPS = "import time\ndef f(): time.sleep(600)\n"
ADDS = "def f(): return 1 + 1\n"
PARENT = """
import sys, threading
from prism.score.sandbox import Pool
from prism.score.sandbox.inside import values
program = "import time\\ndef f(): time.sleep(600)\\n"
request = {"role": "call", "program": program, "name": "f", "inputs": values.dumps([[]])}
pool = Pool(sys.argv[1], 2)
def job(server):
    return server.run(request, 300.0, 1 << 29)
thread = threading.Thread(target=pool.run_all, args=([job, job],), daemon=True)
thread.start()
while len(pool.server_process_ids()) < 2: pass
print("started", flush=True)
thread.join()
"""


def call(server: ForkServer, program: str = ADDS, seconds: float = 2.0) -> Outcome:
    request = {"role": "call", "program": program, "name": "f", "inputs": values.dumps([[]])}
    return server.run(request, seconds, 1 << 29)


def children(process: int) -> list[int]:
    files = Path(f"/proc/{process}/task").glob("*/children")
    return [int(number) for file in files for number in file.read_text().split()]


def wait_until(true: object, seconds: float = 20.0) -> None:
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.02)


def test_a_killed_server_is_replaced_and_its_job_repeated(tier: str) -> None:
    pool = Pool(tier, 2)
    killed: list[int] = []

    def dies_once(server: ForkServer) -> Outcome:
        outcome = call(server)
        if not killed:
            killed.append(server.process_id or 0)
            os.kill(killed[0], signal.SIGKILL)
            wait_until(lambda: state(killed[0]) in ("Z", "gone"))
        return call(server) if outcome.codes == (0,) else outcome

    outcomes = pool.run_all([dies_once, *[call] * 10])
    assert [outcome and outcome.output for outcome in outcomes] == [b'["2"]'] * 11
    assert killed[0] not in pool.server_process_ids()
    pool.close()


def test_a_job_whose_servers_keep_dying_is_given_up_and_others_are_not(tier: str) -> None:
    pool = Pool(tier, 2)

    def dies(server: ForkServer) -> Outcome:
        call(server)
        threading.Timer(0.2, os.kill, (server.process_id, signal.SIGKILL)).start()
        return call(server, SLEEPS, seconds=60.0)

    outcomes = pool.run_all([dies, *[call] * 10])
    assert outcomes[0] is None
    assert [outcome and outcome.output for outcome in outcomes[1:]] == [b'["2"]'] * 10
    pool.close()


def test_a_program_dies_with_its_server(tier: str) -> None:
    server = ForkServer(tier)
    call(server)
    ended: list[str] = []

    def sleeps() -> None:
        try:
            call(server, SLEEPS, 60.0)
        except ServerDied as error:
            ended.append(str(error))

    thread = threading.Thread(target=sleeps)
    thread.start()
    number = server.process_id
    assert number is not None
    wait_until(lambda: children(number))
    (program,) = children(number)
    wait_until(lambda: state(program) == "S")
    os.kill(number, signal.SIGKILL)
    thread.join()
    assert len(ended) == 1
    wait_until(lambda: state(program) in ("Z", "gone"))


def test_all_die_with_a_process_that_is_killed(tier: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, tier], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    process.stdout.readline()

    def family() -> list[int]:
        servers = children(process.pid)
        return [*servers, *(program for server in servers for program in children(server))]

    wait_until(lambda: len(family()) == 4)
    members = family()
    process.kill()
    process.wait()
    wait_until(lambda: all(state(member) in ("Z", "gone") for member in members))


def test_the_time_that_a_program_sleeps_is_limited_too(tier: str) -> None:
    server = ForkServer(tier)
    call(server)
    began = time.monotonic()
    outcome = call(server, SLEEPS, seconds=0.25)
    assert outcome.codes == (None,)
    assert time.monotonic() - began >= 0.5
    server.kill()


def test_waiting_for_a_busy_processor_isnt_on_the_clock(tier: str) -> None:
    """Five programs that use 0.6 s each share one processor: they end after more than twice the 1 s."""
    uses = "import time\ndef f():\n    end = time.process_time() + 0.6\n    while time.process_time() < end: pass\n"
    pool = Pool(tier, 5)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        pool.run_all([call] * 10)
        began = time.monotonic()
        outcomes = pool.run_all([lambda server: call(server, uses, seconds=1.0)] * 5)
        took = time.monotonic() - began
    finally:
        os.sched_setaffinity(0, before)
    pool.close()
    assert took > 2.0, "the machine has more processors than it was told to use"
    assert [outcome and outcome.codes for outcome in outcomes] == [(0,)] * 5


def test_nothing_stays_open_or_alive(tier: str) -> None:
    pool = Pool(tier, 1)
    pool.run_all([call])
    (server,) = pool.server_process_ids()

    def held() -> tuple[int, int, set[int]]:
        files = [len(list(Path(f"/proc/{number}/fd").iterdir())) for number in (os.getpid(), server)]
        return files[0], files[1], servers_and_programs()

    before = held()
    pool.run_all([call, lambda server: call(server, "import os\nos._exit(3)"), lambda server: call(server, "(")] * 10)
    assert held() == before
    pool.close()
    wait_until(lambda: state(server) in ("Z", "gone"))


def test_threads_of_a_program_work_and_are_limited(tier: str) -> None:
    program = (
        "import threading\n"
        "def f():\n"
        "    found = []\n"
        "    threads = [threading.Thread(target=found.append, args=(n,)) for n in range(4)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    return sorted(found)\n"
    )
    server = ForkServer(tier)
    assert call(server, program).output == b'["[0, 1, 2, 3]"]'
    server.kill()
