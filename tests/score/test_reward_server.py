"""Rewards over HTTP, from a server process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from data_prep.files import write_jsonl
from prism.recipe import RewardsConfig
from prism.score.rewards import Answered, judge

ROWS: list[dict[str, Any]] = [
    {"id": "sum", "prompt": "6 * 7 ?", "answer": "42", "verifier": {"kind": "math"}},
    {
        "id": "metal",
        "prompt": "Which rusts?",
        "answer": "iron",
        "verifier": {"kind": "choice", "choices": ["ice", "iron"], "template": "answer_letter"},
    },
    {"id": 3, "prompt": "1 + 2 ?", "answer": "3", "verifier": {"kind": "exact"}},
]
THOUGHT = "<think> so </think> "


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    address: str
    said: str

    def post(self, items: Any, **options: Any) -> httpx2.Response:
        return httpx2.post(f"{self.address}/score", json={"items": items}, timeout=60, **options)

    def metrics(self) -> dict[str, float]:
        text = httpx2.get(f"{self.address}/metrics").text
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def start(directory: Path, *arguments: str) -> Server:
    write_jsonl(directory / "prompts.jsonl", ROWS)
    for name in ("code", "science"):
        write_jsonl(directory / f"{name}.jsonl", [{**ROWS[2], "id": name}])
    paths = {"math": "prompts", "code": "code", "science": "science"}
    sets = [f"--set=rl.prompts.{domain}.path={directory / name}.jsonl" for domain, name in paths.items()]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "prism.cli", "rl", "reward-server", "miniature", "--port=0", *sets, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.match(r"listening at (http://\S+)", line):
            return Server(process, found[1], said)
    raise AssertionError(said)


def stop(server: Server) -> tuple[int, str]:
    server.process.send_signal(signal.SIGTERM)
    output, _ = server.process.communicate(timeout=60)
    return server.process.returncode, output


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = start(tmp_path_factory.mktemp("server"), "--body-megabytes=1", "--items=300")
    yield found
    found.process.kill()
    found.process.communicate()


def item(prompt: Any = "sum", answer: str = "42", **fields: Any) -> dict[str, Any]:
    return {"prompt_id": prompt, "response": f"{THOUGHT}{answer}", "stopped": True, **fields}


def test_a_batch_gets_the_rewards_that_judge_gives(server: Server) -> None:
    answers = ["42", "41", "\\boxed{\\frac{84}{2}}", ""]
    items = [item(answer=answer, stopped=stopped, tokens=[5] * 40) for answer in answers for stopped in (True, False)]
    expected = judge(
        [Answered(ROWS[0], one["response"], one["tokens"], one["stopped"]) for one in items], RewardsConfig()
    )
    results = server.post(items).json()["results"]
    assert [one["reward"] for one in results] == [one.reward for one in expected]
    assert [one["terms"] for one in results] == [dict(one.terms) for one in expected]
    assert [one["solved"] for one in results] == [True, False, False, False, True, False, False, False]
    assert results[2]["verdict"] == {"correct": False, "formatted": True, "answer": "41"}


def test_a_prompt_is_named_or_sent(server: Server) -> None:
    row = {key: value for key, value in ROWS[1].items() if key != "id"}
    sent = {"prompt": row, "response": f"{THOUGHT}Answer: B", "stopped": True}
    results = server.post([sent, item("metal", "Answer: B"), item("metal", "Answer: A"), item(3, "3"), item("3", "3")])
    assert [one["reward"] for one in results.json()["results"]] == [1, 1, 0, 1, 1]
    assert server.post([]).json() == {"results": []}


def test_words_stand_for_tokens_that_arent_sent(server: Server) -> None:
    stuck = item(answer="so it is " * 30)
    assert server.post([stuck]).json()["results"][0]["terms"]["repetition"] == -0.1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "Invalid JSON"),
        (b"{", 400, "Invalid JSON"),
        (b"\xff\xfe", 400, "Invalid JSON"),
        (b'{"items": [' + b"[" * 100_000, 400, "Invalid JSON"),
        (b"[]", 422, "object"),
        (b"{}", 422, "items"),
        (b'{"items": 3}', 422, "items"),
        (b'{"items": [], "more": 1}', 422, "more"),
        (b'{"items": [{"prompt_id": "sum", "response": "x"}]}', 422, r"items\.0\.stopped"),
        (b'{"items": [{"prompt_id": "sum", "response": 3, "stopped": true}]}', 422, r"items\.0\.response"),
        (b'{"items": [{"prompt_id": "sum", "response": "x", "stopped": "yes"}]}', 422, r"items\.0\.stopped"),
        (b'{"items": [{"prompt_id": "sum", "response": "x", "stopped": true, "tokens": [-1]}]}', 422, "tokens"),
        (b'{"items": [{"response": "x", "stopped": true}]}', 422, "either prompt or prompt_id"),
        (b'{"items": [{"prompt_id": "no", "response": "x", "stopped": true}]}', 404, "unknown prompt ids: no"),
        (b'{"items": [{"prompt": {"answer": "3"}, "response": "x", "stopped": true}]}', 422, "verifier"),
    ],
)
def test_a_malformed_body_is_refused_with_what_is_wrong(server: Server, body: bytes, status: int, message: str) -> None:
    response = httpx2.post(f"{server.address}/score", content=body)
    assert response.status_code == status
    assert re.search(message, json.dumps(response.json()["error"]))


@pytest.mark.parametrize(
    ("verifier", "message"),
    [
        ({"kind": "oracle"}, "use one of exact"),
        ({}, "use one of exact"),
        ({"kind": "choice"}, "without options"),
        ({"kind": "choice", "choices": ["a"]}, "none of the choices"),
        ({"kind": "choice", "choices": ["3"], "template": "haiku"}, "template"),
        ({"kind": ["math"]}, ""),
        ({"kind": "code"}, ""),
        ({"kind": "code", "test": "call", "cases": 3}, ""),
    ],
)
def test_a_prompt_that_cant_be_judged_is_refused(server: Server, verifier: dict[str, Any], message: str) -> None:
    row = {"prompt": {"answer": "3", "verifier": verifier}, "response": f"{THOUGHT}3", "stopped": True}
    response = server.post([row])
    assert response.status_code == 422 and message in response.json()["error"]["message"]


def test_what_is_too_large_is_refused(server: Server) -> None:
    assert server.post([item()] * 301).status_code == 413
    assert server.post([item(answer="x" * (1 << 20))]).status_code == 413

    def chunks() -> Iterator[bytes]:
        yield from [b" " * (1 << 16)] * 17

    response = httpx2.post(f"{server.address}/score", content=chunks())
    assert response.status_code == 413 and "more than 1048576 bytes" in response.json()["error"]["message"]
    assert server.post([item()]).status_code == 200


def test_other_paths_and_methods_are_refused_in_json(server: Server) -> None:
    assert httpx2.get(f"{server.address}/score").status_code == 405
    assert "Not Found" in httpx2.get(f"{server.address}/elsewhere").json()["error"]["message"]


def test_health_says_what_is_served(server: Server) -> None:
    health = httpx2.get(f"{server.address}/health").json()
    assert health["status"] == "ok" and health["prompts"] == 5 and "math" in health["verifiers"]


def test_many_clients_at_once_get_their_own_rewards(server: Server) -> None:
    """Half of them need math-verify, whose processes they share."""

    def ask(number: int) -> list[bool]:
        wrong_at = number % 4
        answers = [f"\\sqrt{{{42 * 42}}}" if number % 2 else "42"] * 4
        answers[wrong_at] = f"\\sqrt{{{1000 + number}}}"
        results = server.post([item(answer=answer) for answer in answers]).json()["results"]
        return [one["solved"] for one in results]

    with ThreadPoolExecutor(16) as clients:
        solved = list(clients.map(ask, range(64)))
    assert solved == [[place != number % 4 for place in range(4)] for number in range(64)]


def test_a_hanging_answer_is_wrong_and_keeps_nobody_waiting(server: Server) -> None:
    with ThreadPoolExecutor(2) as clients:
        begun = time.monotonic()
        hanging = clients.submit(server.post, [item(answer="9^{9^9}+1")])
        time.sleep(0.2)
        assert [server.post([item()]).json()["results"][0]["reward"] for _ in range(5)] == [1.0] * 5
        assert not hanging.done()
        assert hanging.result().json()["results"][0]["reward"] == 0.0
        assert time.monotonic() - begun < 60


def test_a_client_that_goes_away_hurts_nobody(server: Server) -> None:
    host, port = server.address.removeprefix("http://").split(":")
    for sent in (b"", b'{"items": [{"prompt_id"'):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + sent)
    assert server.post([item()]).json()["results"][0]["reward"] == 1.0


def test_metrics_count_requests_verdicts_and_seconds(server: Server) -> None:
    before = server.metrics()
    server.post(
        [item(), item(answer="41"), item(stopped=False), {**item(), "response": "42"}, item("metal", "Answer: B")]
    )
    httpx2.post(f"{server.address}/score", content=b"{")
    after = server.metrics()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown('prism_reward_requests_total{status="200"}') == 1
    assert grown('prism_reward_requests_total{status="400"}') == 1
    for verdict in ("right", "wrong", "cut_off", "malformed"):
        assert grown(f'prism_reward_verdicts_total{{kind="math",verdict="{verdict}"}}') == 1
    assert grown('prism_reward_verdicts_total{kind="choice",verdict="right"}') == 1
    assert grown('prism_reward_request_seconds_bucket{le="+Inf"}') == 1
    assert after["prism_reward_queue_depth"] == 0


def test_sigterm_ends_it_when_what_it_has_is_answered(tmp_path: Path) -> None:
    server = start(tmp_path, "--set=rl.rewards.correct.weight=2")
    with ThreadPoolExecutor(1) as clients:
        assert server.post([item(answer="\\sqrt{1764}")]).json()["results"][0]["reward"] == 2.0
        children = psutil.Process(server.process.pid).children(recursive=True)
        last = clients.submit(server.post, [item(answer="9^{9^9}"), item()])
        while server.metrics()["prism_reward_queue_depth"] == 0:
            time.sleep(0.02)
        code, output = stop(server)
        assert [one["reward"] for one in last.result().json()["results"]] == [0.0, 2.0]
    assert code == 0 and output.endswith("stopped\n")
    assert children and psutil.wait_procs(children, timeout=10)[1] == []
    with pytest.raises(httpx2.ConnectError):
        server.post([item()])


def test_more_requests_than_may_wait_are_sent_away_and_a_missing_prompt_set_is_said(tmp_path: Path) -> None:
    server = start(tmp_path, "--waiting=1", "--set=rl.prompts.code.path=missing.jsonl")
    assert "prompts of code can't be named by id" in server.said and "4 prompts" in server.said
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(server.post, [item(answer="9^{9^9}")])
        while server.metrics()["prism_reward_queue_depth"] == 0:
            time.sleep(0.02)
        refused = server.post([item()])
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert first.result().status_code == 200
    assert server.post([item()]).status_code == 200
    assert stop(server)[0] == 0


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"(?s)can't listen at 127.0.0.1:{port}.*choose another --port"):
            start(tmp_path, f"--port={port}")
