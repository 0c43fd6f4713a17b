"""Judges batches that arrive on standard input: reward_worker JOB. The other end is `prism.nemo.reward_server`.

A batch is a line of JSON with the shapes of `tokens` and `lengths`, then their bytes (int64, little-endian). The answer
is a line of JSON: `rewards`, or `error`. The first line says how many prompts there are.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from prism.nemo.reward_model import RewardModel


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints doesn't mix with the answers
    work(Path(sys.argv[1]), sys.stdin.buffer, out)


def work(job: Path, requests: IO[bytes], answers: IO[str]) -> None:
    """Answers until `requests` ends."""
    try:
        model = RewardModel.load(job)
    except UserError as error:
        _say(answers, {"error": str(error)})
        return
    _say(answers, {"ready": len(model)})
    while line := requests.readline():
        shapes = json.loads(line)
        tokens, lengths = (_read(requests, shapes[name]) for name in ("tokens", "lengths"))
        try:
            _say(answers, {"rewards": model.rewards_of(tokens, lengths).reshape(-1).tolist()})
        except UserError as error:
            _say(answers, {"error": str(error)})


def _read(requests: IO[bytes], shape: list[int]) -> npt.NDArray[np.int64]:
    content = requests.read(8 * int(np.prod(shape)))
    return np.frombuffer(content, "<i8").reshape(shape).astype(np.int64)


def _say(answers: IO[str], value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
