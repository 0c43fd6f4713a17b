"""Aligner's own package, in the environment of containers/aligner: its client, and the settings that its code reads.

`make test-aligner` builds the environment and sets PRISM_TEST_ALIGNER to its Python. PRISM_ALIGNER_CONF, the folder
examples/nlp/gpt/conf of Aligner's repository at v0.7.0, composes with its configuration file too: neither the package
nor its source on PyPI has that file.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prism.prompts import PromptContract
from tests.nemo.test_overrides import KNOWN, found
from tests.nemo.test_reward_model import RIGHT, WRONG, batch

ROOT = Path(__file__).parents[2]
QUESTION = "Q calc 1 ; s1 + 2 ?"
pytestmark = [
    pytest.mark.skipif("PRISM_TEST_ALIGNER" not in os.environ, reason="PRISM_TEST_ALIGNER names Aligner's Python"),
    pytest.mark.timeout(600),
]

CLIENT = """
import json
import sys
import numpy as np
from nemo_aligner.servers.http_communicator import HTTPCommunicator
port, folder = sys.argv[1:]
inputs = {"tokens": np.load(f"{folder}/tokens.npy"), "sequence_lengths": np.load(f"{folder}/lengths.npy")}
client = HTTPCommunicator.create_http_communicator_from_dict({"reward_model": ("127.0.0.1", port)})
try:
    futures = [client.send_data_to_server("reward_model", inputs) for _ in range(3)]
    print("rewards:", json.dumps([future.result()["rewards"][:, 0].tolist() for future in futures]))
finally:
    client.close()
"""
SOURCE = """
import importlib.util
import json
import pathlib
import re
import sys
folder = pathlib.Path(importlib.util.find_spec("nemo_aligner").origin).parent
text = "\\n".join(file.read_text() for file in folder.rglob("*.py"))
words = set(re.findall(r"\\w+", text))
print(json.dumps([name for name in sys.stdin.read().split() if name in words]))
"""
BY_ITS_SCRIPTS = {"num_val_samples", "val_rollout_micro_batch_size"}
"""Keys that train_gpt_reinforce_actor.py reads, which isn't in the package."""
BY_OTHERS = {"explicit_log_dir", "exp_manager", "save_top_k", "checkpoint_callback_params", "num_nodes", "devices"}
"""Keys that Lightning and NeMo read."""


def test_the_server_of_rewards_answers_aligners_client(job: Path, tmp_path: Path) -> None:
    python = os.environ["PRISM_TEST_ALIGNER"]
    words = PromptContract.load(job / "tokenizer.json")
    tokens, lengths = batch(words, [(QUESTION, RIGHT, True), (QUESTION, WRONG, True), (QUESTION, RIGHT, False)])
    np.save(tmp_path / "tokens.npy", tokens)
    np.save(tmp_path / "lengths.npy", lengths)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = ["--port", port, "--address", "127.0.0.1", "--prism-python", sys.executable]
    server = subprocess.Popen(
        [python, "-P", str(job / "reward_server.py"), str(job), *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        command = [python, "-c", CLIENT, port, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    finally:
        server.terminate()
        server.wait(60)
    assert done.returncode == 0, done.stderr[-4_000:]
    said = next(line for line in done.stdout.splitlines() if line.startswith("rewards: "))  # NeMo logs there too
    assert json.loads(said.removeprefix("rewards: ")) == [pytest.approx([1, 0, -0.1])] * 3


def test_aligners_code_reads_the_settings_of_its_own_sections(tmp_path: Path) -> None:
    """By name: what stands under trainer.reinforce, model.reinforce and the like occurs in the package's source."""
    own = {key for key in found(tmp_path) if key in KNOWN}
    names = {name for key in own for name in key.split(".")[-1:]} - BY_ITS_SCRIPTS - BY_OTHERS
    python = os.environ["PRISM_TEST_ALIGNER"]
    done = subprocess.run([python, "-c", SOURCE], input=" ".join(names), capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) >= names - _BY_NEMO


_BY_NEMO = {"lr", "weight_decay", "betas", "warmup_steps", "constant_steps", "min_lr", "sequence_parallel", "seed"}
"""Optimizer, schedule and layout: NeMo's own sections of the model."""


def test_the_environment_is_the_locks() -> None:
    code = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in "
    code += "m.distributions()}))"
    done = subprocess.run([os.environ["PRISM_TEST_ALIGNER"], "-c", code], capture_output=True, text=True, check=True)
    installed = {name.replace("_", "-"): version for name, version in json.loads(done.stdout).items()}
    lock = (ROOT / "containers" / "aligner" / "requirements.lock").read_text().split()
    for name, version in (line.split("==") for line in lock):
        assert installed[name.lower().replace("_", "-")].split("+")[0] == version, name
