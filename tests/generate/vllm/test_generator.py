"""Servers that misbehave in every way that was thought of: no prompt is lost, none gets another's answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from prism.errors import BadInput, ResourcesExhausted, UsageError
from prism.generate.protocol import Request
from prism.generate.vllm.fleet import GivenFleet, OwnFleet
from prism.generate.vllm.generator import VllmGenerator
from prism.generate.vllm.process import OwnServer
from tests.generate.vllm.made import (
    QUICK,
    SAMPLING,
    MadeWeights,
    expected,
    journal,
    launch,
    loaded,
    manifest_sums,
    misbehave,
    own_generator,
    requests,
)
from tests.generate.vllm.toy_server import CONTEXT

ROOT = Path(__file__).parents[3]
BAD_ANSWERS = [
    *("500", "429", "close", "garbage", "truncated", "cut_off", "wrong_id", "other_prompt", "two_choices", "no_choice"),
    *("short_logprobs", "long_logprobs", "logprobs_of_other_tokens", "nan", "null_logprob", "positive_logprob"),
    *("old_version", "half_old_version", "no_version", "aborted", "goes_on_after_stop", "no_tokens", "hang"),
]
Made = tuple[VllmGenerator, OwnFleet, MadeWeights]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A generator with one toy server, which is up and holds policy 3."""
    generator, fleet, weights = own_generator(tmp_path)
    generator.set_version(3)
    generator.prepare()
    yield generator, fleet, weights
    generator.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VllmGenerator, OwnFleet, Path]]:
    """The same for tests that leave the server as it was."""
    folder = tmp_path_factory.mktemp("shared")
    generator, fleet, _ = own_generator(folder, patience=replace(QUICK, request_s=0.5, stall_s=60.0))
    generator.prepare()
    yield generator, fleet, folder / "weights" / "v00000000"
    generator.close()


def policy(tmp_path: Path, version: int) -> Path:
    return tmp_path / "weights" / f"v{version:08d}"


def test_every_request_gets_its_own_model_s_answer(made: Made, tmp_path: Path) -> None:
    asked = requests(200)
    found = made[0].generate(asked, SAMPLING)
    assert found == expected(policy(tmp_path, 3), asked, version=3)
    assert {response.stopped for response in found} == {True, False}


def test_a_replica_without_requests_gets_no_answers(shared: tuple[VllmGenerator, OwnFleet, Path]) -> None:
    assert shared[0].generate([], SAMPLING) == []


def test_a_proxy_of_the_environment_isn_t_asked(
    shared: tuple[VllmGenerator, OwnFleet, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, _, model = shared
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    generator.set_version(0)  # so that the controls are used too
    asked = requests(4)
    assert generator.generate(asked, SAMPLING) == expected(model, asked, version=0)


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_bad_answers_are_asked_for_again(kind: str, shared: tuple[VllmGenerator, OwnFleet, Path]) -> None:
    generator, fleet, model = shared
    server = fleet.servers[0]
    misbehave(server.url, kind, 3)
    asked = requests(24)
    assert generator.generate(asked, SAMPLING) == expected(model, asked, version=0)
    assert fleet.servers[0] is server


def test_answers_that_were_swapped_between_requests_are_told_apart(
    shared: tuple[VllmGenerator, OwnFleet, Path],
) -> None:
    generator, fleet, model = shared
    misbehave(fleet.servers[0].url, "swap", 6)
    asked = [replace(request, prompt=(5, 6)) for request in requests(24)]  # the prompt alone wouldn't tell
    assert generator.generate(asked, SAMPLING) == expected(model, asked, version=0)


def test_a_storm_of_bad_answers_loses_nothing(shared: tuple[VllmGenerator, OwnFleet, Path]) -> None:
    generator, fleet, model = shared
    for kind in BAD_ANSWERS:
        misbehave(fleet.servers[0].url, kind, 2)
    asked = requests(400)
    assert generator.generate(asked, SAMPLING) == expected(model, asked, version=0)


@pytest.mark.parametrize("kind", ["die", "freeze", "stall"])
def test_a_server_that_dies_or_hangs_is_started_again_with_the_weights_and_the_same_seeds(
    kind: str, made: Made, tmp_path: Path
) -> None:
    generator, fleet, _ = made
    first = fleet.servers[0]
    httpx2.post(f"{first.url}/toy/misbehave", json={"kind": kind})
    asked = requests(60)
    assert generator.generate(asked, SAMPLING) == expected(policy(tmp_path, 3), asked, version=3)
    again = fleet.servers[0]
    assert again is not first
    assert loaded(again.url) == manifest_sums(policy(tmp_path, 3))
    assert isinstance(first, OwnServer) and first.ended() is not None


def test_only_the_lost_one_of_two_servers_is_started_again(tmp_path: Path) -> None:
    generator, fleet, _ = own_generator(tmp_path, servers=2)
    generator.prepare()
    well, lost = fleet.servers
    misbehave(lost.url, "die")
    asked = requests(60)
    assert generator.generate(asked, SAMPLING) == expected(policy(tmp_path, 0), asked, version=0)
    assert fleet.servers[0] is well
    assert fleet.servers[1] is not lost
    generator.close()


def test_new_weights_change_the_answers_and_their_version(made: Made, tmp_path: Path) -> None:
    generator, fleet, weights = made
    asked = requests(20)
    before = generator.generate(asked, SAMPLING)
    weights.gatherer.value = 0.5
    generator.set_version(4)
    after = generator.generate(asked, SAMPLING)
    assert after == expected(policy(tmp_path, 4), asked, version=4)
    assert [response.tokens for response in after] != [response.tokens for response in before]
    assert loaded(fleet.servers[0].url) == manifest_sums(policy(tmp_path, 4))


def test_a_server_that_answers_with_other_weights_than_it_was_given_is_noticed(made: Made, tmp_path: Path) -> None:
    generator, fleet, _ = made
    httpx2.post(f"{fleet.servers[0].url}/update_weight_version", json={"new_version": "2"})
    asked = requests(8)
    assert generator.generate(asked, SAMPLING) == expected(policy(tmp_path, 3), asked, version=3)


def test_weights_are_taken_while_the_server_pauses_and_old_caches_go(made: Made, tmp_path: Path) -> None:
    controls = [line.split()[0] for line in journal(made[1].servers[0].url)]
    assert controls == ["/pause", "/collective_rpc", "/update_weight_version", "/reset_prefix_cache", "/resume"]


def test_a_server_that_slept_gets_its_weights_before_its_caches(made: Made, tmp_path: Path) -> None:
    generator, fleet, _ = made
    url = fleet.servers[0].url
    before = len(journal(url))
    generator.sleep()
    assert loaded(url) == {}
    asked = requests(8)
    assert generator.generate(asked, SAMPLING) == expected(policy(tmp_path, 3), asked, version=3)
    assert journal(url)[before:] == [
        "/sleep 2",
        "/wake_up weights",
        "/collective_rpc",
        "/update_weight_version",
        "/wake_up kv_cache",
    ]


def test_a_server_that_died_asleep_is_started_again(made: Made, tmp_path: Path) -> None:
    generator, fleet, _ = made
    generator.sleep()
    server = fleet.servers[0]
    assert isinstance(server, OwnServer)
    server.end()
    asked = requests(8)
    assert generator.generate(asked, SAMPLING) == expected(policy(tmp_path, 3), asked, version=3)


def test_servers_that_somebody_else_runs_are_used_and_left_running(made: Made, tmp_path: Path) -> None:
    fleet = GivenFleet([made[1].servers[0].url], patience_s=30)
    given = VllmGenerator(fleet, MadeWeights(tmp_path / "theirs", fleet), CONTEXT, QUICK, restarts=1)
    given.set_version(9)
    asked = requests(8)
    assert given.generate(asked, SAMPLING) == expected(tmp_path / "theirs" / "v00000009", asked, version=9)
    given.close()
    assert made[1].servers[0].healthy()


def test_what_was_written_for_servers_goes_when_they_end(made: Made, tmp_path: Path) -> None:
    assert policy(tmp_path, 3).is_dir()
    made[0].close()
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_server_that_never_gives_a_right_answer_ends_the_step(made: Made, tmp_path: Path) -> None:
    url = made[1].servers[0].url
    misbehave(url, "nan", 10_000)
    fleet = GivenFleet([url], patience_s=30)
    given = VllmGenerator(fleet, MadeWeights(tmp_path / "theirs", fleet), CONTEXT, QUICK, restarts=1)
    with pytest.raises(ResourcesExhausted, match=r"lost 2 times; at last: .*4 bad answers .*isn't a number up to 0"):
        given.generate(requests(3), SAMPLING)


def test_a_request_that_the_server_refuses_isn_t_repeated(made: Made) -> None:
    generator, fleet, _ = made
    generator._context_length = 10 * CONTEXT  # more than the server holds
    with pytest.raises(UsageError, match=r"refuses a request \(HTTP 400: .*beyond max_model_len"):
        generator.generate([Request(tuple(range(2, 32)) * 3, 1)], SAMPLING)
    assert httpx2.get(f"{fleet.servers[0].url}/toy/journal").json()["asked"] == 1


@pytest.mark.parametrize("length", [0, CONTEXT])
def test_a_prompt_that_doesn_t_fit_is_refused_before_anything_is_asked(length: int, made: Made) -> None:
    with pytest.raises(BadInput, match=f"prompt 1 has {length} tokens, the context holds {CONTEXT}"):
        made[0].generate([Request((2, 3), 1), Request((2,) * length, 1)], SAMPLING)


def test_a_response_ends_where_the_context_does(made: Made, tmp_path: Path) -> None:
    asked = [Request((3,) * (CONTEXT - 1), seed=1), Request((3,) * (CONTEXT - 2), seed=2)]
    found = made[0].generate(asked, SAMPLING)
    assert found == expected(policy(tmp_path, 3), asked, version=3)
    assert len(found[0].tokens) == 1


def test_a_server_that_doesn_t_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import sys; print('no such GPU'); sys.exit(7)")
    fleet = OwnFleet([launch(tmp_path, command=command)])
    generator = VllmGenerator(fleet, MadeWeights(tmp_path / "weights", fleet), CONTEXT, QUICK, restarts=0)
    with pytest.raises(ResourcesExhausted, match=r"didn't start: .*exit code 7(.|\n)*no such GPU"):
        generator.generate(requests(1), SAMPLING)


def test_a_server_that_starts_too_slowly_is_ended(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    server = OwnServer(launch(tmp_path, command=command, start_s=0.5), tmp_path)
    with pytest.raises(ResourcesExhausted, match=r"not healthy after 0\.5 s"):
        server.wait_until_healthy()
    assert server.ended() is not None


STARTER = """
import sys, time
from pathlib import Path
from prism.generate.vllm.process import Launch, OwnServer
script, pids = sys.argv[1:]
server = OwnServer(Launch((sys.executable, script, pids), (), (), Path(pids + ".log"), 30.0), Path("model"))
print("started", flush=True)
time.sleep(600)
"""
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
open(sys.argv[1] + ".new", "w").write(f"[{os.getpid()}, {worker.pid}]")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


def test_a_server_and_its_workers_end_with_the_trainer_however_that_ends(tmp_path: Path) -> None:
    script, pids = tmp_path / "stubborn.py", tmp_path / "pids"
    script.write_text(STUBBORN)
    trainer = subprocess.Popen([sys.executable, "-c", STARTER, str(script), str(pids)], cwd=ROOT)
    wait_for(pids.exists)
    processes = json.loads(pids.read_text())
    assert all(alive(pid) for pid in processes)
    os.kill(trainer.pid, signal.SIGKILL)
    trainer.wait()
    wait_for(lambda: not any(alive(pid) for pid in processes))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
