"""A stage's rollouts and updates with toy servers in vLLM's place: placement_worker.py ROOT OUT TENSOR PIPELINE MODE

Two rounds of responses with an update before each, the second with a server that dies. OUT.json gets what every replica
was answered, which weights the server held, and how the optimizer's memory changed. The last weights are saved in
OUT.checkpoints.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import torch

from prism.generate.protocol import Request, Sampling
from prism.generate.vllm.generator import VllmGenerator
from prism.megatron.blend import SourceBatch
from prism.megatron.checkpoint.ranks import from_all_ranks
from prism.megatron.parallel import Layout, data_parallel_rank, is_first_rank, process_groups
from prism.megatron.trainee import Trainee
from prism.recipe import load_recipe
from prism.rl.placement import build_placement
from prism.train.loss import REPORT, NextTokenLoss
from tests.generate.vllm.toy_server import CONTEXT, STOP

VOCABULARY = 95
SERVER = Path(__file__).parents[1] / "generate" / "vllm" / "toy_server.py"
SAMPLING = Sampling(1.0, 1.0, 10, (STOP,))


def recipe_of(root: Path, mode: str) -> Any:
    keys = {
        "run.directory": root,
        "rl.generator.kind": "vllm",
        "rl.generator.vllm.command": f"[{sys.executable}, {SERVER}]",
        "rl.generator.vllm.context_length": CONTEXT,
        "rl.generator.vllm.dtype": "float32",
        "rl.generator.vllm.bucket_mib": 1,
        "rl.generator.vllm.stall_timeout_s": 20,
        "rl.placement.mode": mode,
        "rl.placement.offload_optimizer": "true",
    }
    return load_recipe("miniature", [f"{key}={value}" for key, value in keys.items()])


def contract() -> Any:
    """As much of a prompt contract as servers need."""
    return SimpleNamespace(vocab_size=VOCABULARY, end_of_document_id=STOP, export=lambda folder: None)


def train(trainee: Trainee, step: int) -> None:
    rows = torch.randint(VOCABULARY, (2, 17), generator=torch.Generator().manual_seed(step))
    batch = SourceBatch.whole(rows[:, :-1].contiguous(), rows[:, 1:].contiguous(), torch.zeros(2, dtype=torch.long))
    trainee.step([batch], NextTokenLoss(1), 1e-3, REPORT)


def requests() -> list[Request]:
    """Other ones on each replica, as many as the others' or fewer."""
    replica = data_parallel_rank()
    return [
        Request((3 + replica, 4, 5 + number % 3), seed=100 * replica + number) for number in range(12 - 4 * replica)
    ]


def moments(trainee: Trainee) -> int:
    """Bytes that the optimizer's moments take."""
    states = [part.optimizer.state.values() for part in trainee.optimizer.chained_optimizers]
    tensors = [
        value for state in states for each in state for value in each.values() if isinstance(value, torch.Tensor)
    ]
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors if tensor.ndim)


def main() -> None:
    root, out, tensor, pipeline, mode = sys.argv[1:]
    layout = Layout(tensor=int(tensor), pipeline=int(pipeline))
    with process_groups(layout, seed=1):
        recipe = recipe_of(Path(root), mode)
        trainee = Trainee(recipe.model, VOCABULARY, layout, recipe.rl.optimizer, "fp32")
        trainee.initialise(seed=3)
        placement = build_placement(recipe, recipe.rl, contract(), trainee, Path(f"{out}.stage"))
        generator = placement.generator
        assert isinstance(generator, VllmGenerator)
        rounds = []
        placement.after_update(0)
        for version in (0, 1):
            if version:
                train(trainee, version)
                placement.after_update(version)
            before = moments(trainee)
            with placement.generating():
                inside = moments(trainee)
                if version:
                    generator.prepare()
                    if is_first_rank():
                        httpx2.post(f"{generator._urls[0]}/toy/misbehave", json={"kind": "die"})
                answers = generator.generate(requests(), SAMPLING)
                url = generator._urls[0]
                holds = httpx2.get(f"{url}/toy/weights").json()
            asleep = httpx2.get(f"{url}/toy/weights").json() == {}
            said = from_all_ranks(
                (data_parallel_rank(), [[one.tokens, one.logprobs, one.policy_version] for one in answers])
            )
            rounds.append(
                {
                    "answers": said,
                    "holds": holds,
                    "asleep": asleep,
                    "moments": [before, inside, moments(trainee)],
                }
            )
        trainee.save(Path(f"{out}.checkpoints"), 1, {})
        placement.close()
        if is_first_rank():
            Path(f"{out}.json").write_text(json.dumps(rounds))


if __name__ == "__main__":
    main()
