"""Serves rewards over the protocol that NeMo-Aligner's actor speaks: PyTriton over HTTP, model `reward_model`.

    python reward_server.py JOB --port 5555 --prism-python /opt/prism/bin/python

Runs where nvidia-pytriton is, which needs another numpy than this package: so it imports nothing of it (`prism
rl aligner` copies this file into the job's folder), and a child of the other Python judges
(see `prism.nemo.reward_worker`).

| tensor | type | shape |
|---|---|---|
| in: tokens | int64 | (B, S), prompt and response, zeros behind them |
| in: sequence_lengths | int64 | (B, 1) |
| out: rewards | float32 | (B, 1) |
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MODEL = "reward_model"
MAX_BATCH = 1 << 20
QUEUE_MICROSECONDS = 2_000
"""How long a request waits for others to be judged with it."""


class JudgeFailed(RuntimeError):
    """The child refused a batch, or is gone."""


class Judge:
    """The child process; one batch at a time."""

    def __init__(self, python: str, job: Path) -> None:
        self._lock = threading.Lock()
        self._child = subprocess.Popen(
            [python, "-m", "prism.nemo.reward_worker", str(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.prompts: int = self._answer()["ready"]

    def rewards(self, tokens: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Shape (B, 1).

        Raises:
            JudgeFailed: with what the child said.
        """
        tokens, lengths = np.ascontiguousarray(tokens, "<i8"), np.ascontiguousarray(lengths, "<i8")
        with self._lock:
            pipe = self._child.stdin
            assert pipe is not None  # it was asked for
            try:
                pipe.write(json.dumps({"tokens": tokens.shape, "lengths": lengths.shape}).encode() + b"\n")
                pipe.write(tokens.tobytes())
                pipe.write(lengths.tobytes())
                pipe.flush()
            except BrokenPipeError:
                raise self._gone() from None
            answer = self._answer()
        return np.asarray(answer["rewards"], np.float32).reshape(-1, 1)

    def close(self) -> None:
        """Ends the child."""
        assert self._child.stdin is not None  # it was asked for
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        self._child.wait()

    def _answer(self) -> dict[str, Any]:
        pipe = self._child.stdout
        assert pipe is not None  # it was asked for
        line = pipe.readline()
        if not line:
            raise self._gone()
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise JudgeFailed(found["error"])
        return found

    def _gone(self) -> JudgeFailed:
        return JudgeFailed(f"the judging process ended with code {self._child.wait()}; its log is above")


def answer(judge: Judge, inputs: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """What the model `reward_model` returns for a batch.

    Raises:
        JudgeFailed: sentences without tokens, or what the child said.
    """
    if "tokens" not in inputs or "sequence_lengths" not in inputs:
        raise JudgeFailed(f"got {', '.join(inputs) or 'nothing'}; send tokens and sequence_lengths")
    return {"rewards": judge.rewards(inputs["tokens"], inputs["sequence_lengths"])}


def serve(judge: Judge, address: str, port: int) -> None:
    """Serves until it is told to end."""
    from pytriton.decorators import batch
    from pytriton.model_config import ModelConfig, Tensor
    from pytriton.model_config.common import DynamicBatcher
    from pytriton.triton import Triton, TritonConfig

    def infer(**inputs: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        return answer(judge, inputs)

    config = TritonConfig(allow_http=True, allow_grpc=False, allow_metrics=False, http_address=address, http_port=port)
    with Triton(config=config) as triton:
        triton.bind(
            model_name=MODEL,
            infer_func=batch(infer),
            inputs=[
                Tensor(name="sentences", shape=(-1,), dtype=bytes, optional=True),
                Tensor(name="tokens", shape=(-1,), dtype=np.int64, optional=True),
                Tensor(name="sequence_lengths", shape=(-1,), dtype=np.int64, optional=True),
            ],
            outputs=[Tensor(name="rewards", shape=(1,), dtype=np.float32)],
            config=ModelConfig(
                batching=True,
                max_batch_size=MAX_BATCH,
                batcher=DynamicBatcher(max_queue_delay_microseconds=QUEUE_MICROSECONDS),
            ),
            strict=True,
        )
        triton.serve()


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewards for a NeMo-Aligner actor.")
    parser.add_argument("job", type=Path, help="folder that `prism rl aligner` wrote")
    parser.add_argument("--port", type=int, default=5555)
    parser.add_argument("--address", default="0.0.0.0", help="of the interface to listen on")
    parser.add_argument("--prism-python", default=sys.executable, help="Python that has prism")
    options = parser.parse_args()
    judge = Judge(options.prism_python, options.job)
    print(f"rewards: {judge.prompts:,} prompts, port {options.port}", flush=True)
    try:
        serve(judge, options.address, options.port)
    finally:
        judge.close()


if __name__ == "__main__":
    main()
