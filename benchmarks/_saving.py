"""What a checkpoint costs training: `_saving.py` prints seconds of a synchronous save, and the stall of an
asynchronous one, as one JSON object.

The stall is what the calls of the saver take (`save`, and `poll` at every step until it is done) over what a
synchronous save takes; `slowdown` also counts what the steps beside the writing lose, in seconds a save.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch


def main() -> None:
    os.environ["PRISM_BACKEND"] = "cpu"
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from _contenders import MODELS, batch, model_of

    from prism.megatron.blend import SourceBatch
    from prism.megatron.checkpoint import Saver
    from prism.megatron.parallel import Layout, process_groups
    from prism.megatron.trainee import Trainee
    from prism.recipe import CheckpointConfig, OptimizerConfig
    from prism.train.loss import REPORT, NextTokenLoss

    rounds = 1 if "--quick" in sys.argv else 5
    torch.set_num_threads(1)  # the writer has the other core, as another process would
    shape = MODELS["miniature" if "--quick" in sys.argv else "dense_20m"]
    inputs, labels = batch(shape)
    with tempfile.TemporaryDirectory() as folder, process_groups(Layout(), seed=1):
        trainee = Trainee(model_of(shape), shape.vocabulary, Layout(), OptimizerConfig(learning_rate=1e-3))
        trainee.initialise(1)
        whole = SourceBatch.whole(inputs, labels, torch.zeros(shape.sequences, dtype=torch.long))
        loss = NextTokenLoss(1)
        number = 0

        def step() -> float:
            began = time.perf_counter()
            trainee.step([whole], loss, 1e-3, REPORT)
            return time.perf_counter() - began

        bare = [step() for _ in range(6)][2:]
        saver = Saver(Path(folder), CheckpointConfig(keep_last=1))
        synchronous, stalls, slowdowns = [], [], []
        for _ in range(rounds + 1):
            number += 1
            began = time.perf_counter()
            saver.save(trainee.chunks, trainee.optimizer, number, {}, wait=True)
            synchronous.append(time.perf_counter() - began)
            number += 1
            began = time.perf_counter()
            saver.save(trainee.chunks, trainee.optimizer, number, {})
            stall = time.perf_counter() - began
            beside = []
            while not (Path(folder) / f"step_{number:08d}").exists():
                beside.append(step())
                began = time.perf_counter()
                saver.poll()
                stall += time.perf_counter() - began
            stalls.append(stall)
            slowdowns.append(stall + sum(beside) - len(beside) * statistics.median(bare))
        saver.close()
    whole_save = statistics.median(synchronous[1:])  # the first one plans
    print(
        json.dumps(
            {
                "stall": statistics.median(stalls[1:]) / whole_save,
                "synchronous_s": whole_save,
                "stall_s": statistics.median(stalls[1:]),
                "slowdown_s": statistics.median(slowdowns[1:]),
                "step_s": statistics.median(bare),
            }
        )
    )


if __name__ == "__main__":
    main()
