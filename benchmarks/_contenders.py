"""Contenders of train_step.py, each in a process of its own: `_contenders.py NAME MODEL STEPS` prints seconds a step.

plain: a PyTorch module and torch.optim.AdamW. trainer: transformers' Trainer. prism: the engine. Every one of them
trains on one fixed batch, clips gradients to 1 and uses fused AdamW; the median of the steps after the third counts.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

WARM_UP = 3


@dataclass(frozen=True)
class Shape:
    """A model as a recipe's section, and a batch of it."""

    model: dict[str, object]
    vocabulary: int
    sequences: int
    length: int


_HYBRID = {
    "family": "nemotron_h",
    "num_layers": 7,
    "hybrid_pattern": "M-M*-M-",
    "activation": "squared_relu",
    "rope_base": None,
    "max_position_embeddings": 1024,
}
MODELS = {
    "dense_20m": Shape(
        {
            "num_layers": 8,
            "hidden_size": 384,
            "num_attention_heads": 6,
            "ffn_hidden_size": 1024,
            "max_position_embeddings": 256,
        },
        8_192,
        4,
        256,
    ),
    "miniature": Shape(
        {
            "num_layers": 4,
            "hidden_size": 128,
            "num_attention_heads": 4,
            "ffn_hidden_size": 336,
            "max_position_embeddings": 128,
        },
        96,
        16,
        64,
    ),
    "hybrid_state128": Shape(
        {
            **_HYBRID,
            "hidden_size": 512,
            "num_attention_heads": 8,
            "ffn_hidden_size": 2048,
            "mamba": {"inner_size": 1024, "state_dim": 128, "head_dim": 64, "num_groups": 1, "chunk_size": 256},
        },
        1_024,
        1,
        1_024,
    ),
    "hybrid_miniature": Shape(
        {
            **_HYBRID,
            "hidden_size": 128,
            "num_attention_heads": 4,
            "ffn_hidden_size": 512,
            "mamba": {"inner_size": 256, "state_dim": 32, "head_dim": 32, "num_groups": 1, "chunk_size": 64},
        },
        96,
        16,
        64,
    ),
}


def main() -> None:
    name, model, steps = sys.argv[1], MODELS[sys.argv[2]], int(sys.argv[3])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    seconds, parameters = {"plain": plain, "trainer": trainer, "prism": prism}[name](model, steps + WARM_UP)
    print(json.dumps({"seconds": statistics.median(seconds[WARM_UP:]), "parameters": parameters}))


def plain(shape: Shape, steps: int) -> tuple[list[float], int]:
    from _plain import PlainModel, Sizes

    sizes = [int(str(shape.model[key])) for key in ("num_layers", "hidden_size", "num_attention_heads")]
    model = PlainModel(shape.vocabulary, shape.length, Sizes(*sizes, inner=int(str(shape.model["ffn_hidden_size"]))))
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    inputs, labels = batch(shape)

    def step() -> None:
        logits = model(inputs)
        loss = torch.nn.functional.cross_entropy(logits.view(-1, shape.vocabulary), labels.view(-1))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        loss.item()

    return timed(step, steps), sum(weight.numel() for weight in model.parameters())


def trainer(shape: Shape, steps: int) -> tuple[list[float], int]:
    import transformers

    model = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model("nemotron_h", **_hf_values(shape)), dtype=torch.float32
    )
    tokens = whole(shape)[:, :-1]
    rows = [{"input_ids": row, "labels": row} for row in tokens]
    marks: list[float] = []

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: object, **__: object) -> None:
            marks.append(time.perf_counter())

        def on_step_end(self, *_: object, **__: object) -> None:
            marks[-1] = time.perf_counter() - marks[-1]

    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=shape.sequences,
            learning_rate=1e-3,
            weight_decay=0.1,
            optim="adamw_torch_fused",
            lr_scheduler_type="constant",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            dataloader_num_workers=0,
        )
        transformers.Trainer(model, arguments, train_dataset=rows * steps, callbacks=[Clock()]).train()
    return marks, sum(weight.numel() for weight in model.parameters())


def prism(shape: Shape, steps: int) -> tuple[list[float], int]:
    os.environ["PRISM_BACKEND"] = "cpu"
    from prism.megatron.blend import SourceBatch
    from prism.megatron.parallel import Layout, process_groups
    from prism.megatron.trainee import Trainee
    from prism.recipe import OptimizerConfig
    from prism.train.loss import REPORT, NextTokenLoss

    inputs, labels = batch(shape)
    with process_groups(Layout(), seed=1):
        trainee = Trainee(model_of(shape), shape.vocabulary, Layout(), OptimizerConfig(learning_rate=1e-3))
        trainee.initialise(1)
        whole_batch = SourceBatch.whole(inputs, labels, torch.zeros(shape.sequences, dtype=torch.long))
        loss = NextTokenLoss(1)
        seconds = timed(lambda: trainee.step([whole_batch], loss, 1e-3, REPORT), steps)
        return seconds, sum(weight.numel() for weight in trainee.chunk.parameters())


def timed(step: Callable[[], object], steps: int) -> list[float]:
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return seconds


def whole(shape: Shape) -> torch.Tensor:
    return torch.randint(
        0, shape.vocabulary, (shape.sequences, shape.length + 1), generator=torch.Generator().manual_seed(1)
    )


def batch(shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = whole(shape)
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def model_of(shape: Shape) -> ModelConfig:
    from prism.recipe import ModelConfig

    return ModelConfig.model_validate(shape.model)


def _hf_values(shape: Shape) -> dict[str, object]:
    """What transformers calls the model; prism.models isn't asked, since it would stand in for CUDA here."""
    model = shape.model
    mamba = model["mamba"]
    assert isinstance(mamba, dict)
    return {
        "hybrid_override_pattern": model["hybrid_pattern"],
        "layers_block_type": [{"M": "linear_attention", "*": "full_attention", "-": "mlp"}[c] for c in "M-M*-M-"],
        "hidden_size": model["hidden_size"],
        "intermediate_size": model["ffn_hidden_size"],
        "num_attention_heads": model["num_attention_heads"],
        "num_key_value_heads": model["num_attention_heads"],
        "head_dim": int(str(model["hidden_size"])) // int(str(model["num_attention_heads"])),
        "mamba_num_heads": mamba["inner_size"] // mamba["head_dim"],
        "mamba_head_dim": mamba["head_dim"],
        "ssm_state_size": mamba["state_dim"],
        "n_groups": mamba["num_groups"],
        "chunk_size": mamba["chunk_size"],
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": model["max_position_embeddings"],
        "mlp_hidden_act": "relu2",
        "bos_token_id": None,
        "pad_token_id": 0,
        "eos_token_id": 0,
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
