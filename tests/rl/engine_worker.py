"""What the real engine makes of the same responses at a layout: engine_worker.py ROOT OUT TENSOR NAME [KEY=VALUE ...]

The first call (one process) also writes the checkpoint that all begin from. OUT gets the loss, the gradient of every
weight, and the largest difference between the generator's log-probabilities and the trainer's.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from omegaconf import OmegaConf
from safetensors.torch import save_file

from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Request, Response, Sampling
from prism.generate.sampling import sample_seed
from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, data_parallel_rank, data_parallel_size, is_first_rank, process_groups
from prism.megatron.trainee import Trainee
from prism.recipe import ModelConfig, RlConfig, load_recipe
from prism.rl.batch import micro_batches, share_of
from prism.rl.objective import REPORT, GrpoObjective
from prism.rl.prompts import RlPrompt
from prism.rl.rollout import Rollout
from prism.rl.update import update_items
from prism.score.rewards import Judged
from prism.score.verdict import Verdict

VOCABULARY, STOP = 95, 3
GROUPS, SIZE = 3, 4


def prompts() -> list[list[int]]:
    generator = random.Random(4)
    return [[generator.randrange(4, VOCABULARY) for _ in range(generator.randrange(3, 14))] for _ in range(GROUPS)]


def mismatch(model: MegatronLanguageModel) -> float:
    """Rolls out with the generator and asks the trainer's forward pass for the same tokens."""
    asked = [Request(prompt, sample_seed(group, k)) for group, prompt in enumerate(prompts()) for k in range(8)]
    responses = model.generate(asked, Sampling(1.0, 1.0, 40, (STOP,)))
    full = model.logprobs([[*one.prompt, *answer.tokens] for one, answer in zip(asked, responses, strict=True)])
    assert sum(len(answer.tokens) for answer in responses) > 300
    return max(
        abs(ours - theirs)
        for one, answer, values in zip(asked, responses, full, strict=True)
        for ours, theirs in zip(answer.logprobs, values[len(one.prompt) - 1 :], strict=True)
    )


def groups() -> list[list[Rollout]]:
    """Made-up responses of ragged lengths; what the generator said of them is off by a little."""
    generator = random.Random(5)
    made = []
    for prompt in prompts():
        group = []
        for number in range(SIZE):
            length = generator.randrange(1, 40)
            tokens = tuple(generator.randrange(4, VOCABULARY) for _ in range(length))
            logprobs = tuple(-4.5 + generator.random() for _ in range(length))
            judged = Judged(Verdict(number == 0, True, None), {"correct": float(number == 0)})
            group.append(
                Rollout(RlPrompt("math", "?", {}), tuple(prompt), Response(tokens, logprobs, True), "", judged)
            )
        made.append(group)
    return made


def main(root: Path, out: Path, tensor: int, name: str, *keys: str) -> None:
    model: ModelConfig = load_recipe(name).model
    config = RlConfig.model_validate(OmegaConf.to_container(OmegaConf.from_dotlist([*keys, "kl_coefficient=0"])))
    layout = Layout(tensor=tensor, distributed_optimizer=False)
    with process_groups(layout, seed=1):
        trainee = Trainee(model, VOCABULARY, layout, config.optimizer.model_copy(update={"clip_grad": 1e9}))
        if not (root / "start").exists():
            trainee.initialise(seed=3)
            trainee.save(root / "start", 0, {})
        trainee.load_weights(checkpoint.require_latest(root / "start"))
        difference = mismatch(MegatronLanguageModel(trainee.chunk, VOCABULARY, model.max_position_embeddings, slots=16))
        own = share_of(update_items(groups(), config), data_parallel_rank(), data_parallel_size())
        batches = micro_batches(own, config.micro_batch_size, config.packing_tokens, uniform=False)
        objective = GrpoObjective(config, len(batches) * data_parallel_size())
        result = trainee.step(batches, objective, 0.0, REPORT)
        for parameter in checkpoint.unwrap(trainee.chunk).parameters():
            parameter.data.copy_(parameter.main_grad)
        saved = trainee.save(out.with_suffix(""), 0, {})
        if is_first_rank():
            save_file({key: value.contiguous() for key, value in checkpoint.whole_weights(saved)}, out)
            said = {"mismatch": difference, "grad_norm": result.grad_norm, "micro_batches": len(batches)}
            out.with_suffix(".json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
