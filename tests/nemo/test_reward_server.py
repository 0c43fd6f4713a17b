"""The server of rewards: a child that judges, and the protocol that Aligner's clients speak.

With PRISM_TEST_PYTRITON=/path/to/python (one that has nvidia-pytriton) a real server answers a real client.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from prism.nemo.reward_server import Judge, JudgeFailed, answer
from prism.prompts import PromptContract
from tests.nemo.test_reward_model import RIGHT, WRONG, batch

ROOT = Path(__file__).parents[2]
QUESTION = "Q calc 1 ; s1 + 2 ?"


@pytest.fixture
def judge(job: Path) -> Iterator[Judge]:
    found = Judge(sys.executable, job)
    yield found
    found.close()


@pytest.fixture(scope="module")
def words(job: Path) -> PromptContract:
    return PromptContract.load(job / "tokenizer.json")


def test_a_child_judges_batch_after_batch(judge: Judge, words: PromptContract) -> None:
    assert judge.prompts == 25
    for samples, expected in (
        ([(QUESTION, RIGHT, True), (QUESTION, WRONG, True)], [1, 0]),
        ([(QUESTION, RIGHT, True)] * 300, [1] * 300),
    ):
        tokens, lengths = batch(words, samples)
        found = answer(judge, {"tokens": tokens, "sequence_lengths": lengths})["rewards"]
        assert found.dtype == np.float32 and found.shape == (len(samples), 1)
        assert found[:, 0].tolist() == expected


def test_an_unknown_prompt_fails_its_batch_and_no_other(judge: Judge, words: PromptContract) -> None:
    tokens, lengths = batch(words, [("Q calc 9 ; s1 + 2 ?", RIGHT, True)])
    with pytest.raises(JudgeFailed, match="none of the job's 25 prompts"):
        judge.rewards(tokens, lengths)
    assert judge.rewards(*batch(words, [(QUESTION, RIGHT, True)])).item() == 1


def test_sentences_alone_are_refused(judge: Judge) -> None:
    with pytest.raises(JudgeFailed, match="send tokens"):
        answer(judge, {"sentences": np.array([[b"Q"]])})


def test_a_child_that_is_gone_is_said(judge: Judge, words: PromptContract) -> None:
    judge._child.kill()
    judge._child.wait()
    with pytest.raises(JudgeFailed, match="ended with code -9"):
        judge.rewards(*batch(words, [(QUESTION, RIGHT, True)]))


def test_a_folder_that_is_no_job_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(JudgeFailed, match=r"rewards\.json"):
        Judge(sys.executable, tmp_path)


def test_the_server_imports_nothing_of_ours_nor_of_nemo() -> None:
    code = "import sys, prism.nemo.reward_server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"torch", "megatron", "pytriton", "pydantic", "prism.recipe", "data_prep"}.isdisjoint(done.stdout.split())


CLIENT = """
import json
import sys
import numpy as np
from pytriton.client import FuturesModelClient
port, folder = sys.argv[1:]
tokens, lengths = np.load(f"{folder}/tokens.npy"), np.load(f"{folder}/lengths.npy")
url = f"http://127.0.0.1:{port}"
with FuturesModelClient(url, "reward_model", init_timeout_s=120, inference_timeout_s=120) as client:
    futures = [client.infer_batch(tokens=tokens, sequence_lengths=lengths) for _ in range(4)]
    rewards = [future.result()["rewards"] for future in futures]
assert all(found.dtype == np.float32 and found.shape == (len(tokens), 1) for found in rewards)
print(json.dumps([found[:, 0].tolist() for found in rewards]))
"""


@pytest.mark.skipif(
    "PRISM_TEST_PYTRITON" not in os.environ, reason="PRISM_TEST_PYTRITON names a Python that has nvidia-pytriton"
)
def test_a_real_server_answers_a_real_client(job: Path, words: PromptContract, tmp_path: Path) -> None:
    python = os.environ["PRISM_TEST_PYTRITON"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    tokens, lengths = batch(words, [(QUESTION, RIGHT, True), (QUESTION, WRONG, True), (QUESTION, RIGHT, False)])
    np.save(tmp_path / "tokens.npy", tokens)
    np.save(tmp_path / "lengths.npy", lengths)
    options = ["--port", port, "--address", "127.0.0.1", "--prism-python", sys.executable]
    server = subprocess.Popen(
        [python, "-P", str(job / "reward_server.py"), str(job), *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        done = subprocess.run([python, "-c", CLIENT, port, str(tmp_path)], capture_output=True, text=True, check=False)
    finally:
        server.terminate()
        server.wait(60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [pytest.approx([1, 0, -0.1])] * 4
