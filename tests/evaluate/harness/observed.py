"""Runs the tasks of ROOT with our model and writes what the harness found, as `observe` does for the other side.

observed.py ROOT TENSORxPIPELINE ...    under each layout in turn; the rest of the ranks is data-parallel
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

LIMIT = 12
TASKS = [f"local_{name}" for name in "mmlu arc gsm8k perplexity lambada winogrande truthful".split()]


def observe(model: Any, root: Path, side: str, **arguments: Any) -> None:
    """Writes ROOT/found.<side>.json, on the rank that the harness gives results to."""
    found = simple_evaluate(
        model=model,
        tasks=[*TASKS[2:], "local_stem"],
        task_manager=TaskManager(include_path=str(root / "tasks"), include_defaults=False),
        limit=LIMIT,
        bootstrap_iters=0,
        **arguments,
    )
    if found is None:
        return
    samples = {
        task: [{key: one[key] for key in ("doc_id", "filter", "resps", "prompt_hash")} for one in own]
        for task, own in found["samples"].items()
    }
    (root / f"found.{side}.json").write_text(json.dumps({"results": found["results"], "samples": samples}))


def observe_ours(root: Path, side: str) -> None:
    from prism.evaluate.harness.backend import ModelBackend
    from prism.evaluate.harness.model import HarnessModel
    from prism.evaluate.harness.tokenizer import HarnessTokenizer
    from prism.generate.megatron import MegatronLanguageModel
    from prism.megatron import checkpoint
    from prism.megatron.parallel import Layout, model_parallel_groups
    from prism.megatron.trainee import build_frozen
    from prism.models.family import identify

    tensor, pipeline = map(int, side.split("x"))
    layout, model = Layout(tensor=tensor, pipeline=pipeline), identify(root / "hf")
    with model_parallel_groups(layout, seed=1):
        assert model.vocab_size is not None
        module = build_frozen(model, model.vocab_size, layout)
        checkpoint.load(checkpoint.require_latest(root / "megatron"), module)
        generator = MegatronLanguageModel(module, model.vocab_size, model.max_position_embeddings, slots=5)
        tokenizer = HarnessTokenizer(root / "hf")
        observe(HarnessModel(ModelBackend(generator, tokenizer), tokenizer), root, side)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    for layout in sys.argv[2:]:
        observe_ours(Path(sys.argv[1]), layout)
