"""The recipes that the smoke test runs: dense and hybrid, for one GPU of 80 GB, or tiny for a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["dense", "hybrid", "resume"]

STEPS, SAVE_EVERY = 20, 5


@dataclass(frozen=True)
class Size:
    """Widths of the models. `resume_hidden`: of the model that is saved and resumed, whose checkpoints are small."""

    hidden: int
    resume_hidden: int
    layers: int
    hybrid_pattern: str
    length: int
    global_batch: int
    vocabulary: int | None
    precision: str
    world_tokens: int


SIZES = {
    # 0.7B parameters dense, 0.6B hybrid: large enough matrices to fill the device, checkpoints of 9 GB.
    "gpu": Size(2_048, 512, 8, "M-M-M-M*-" * 2, 8_192, 2, 32_768, "bf16", 400_000),
    "tiny": Size(64, 64, 2, "M-*-", 64, 2, None, "fp32", 4_000),
}


def recipe(kind: Kind, size: Size, directory: Path) -> dict[str, Any]:
    """A recipe of one or two pre-training stages on a generated world."""
    hidden = size.resume_hidden if kind == "resume" else size.hidden
    training: dict[str, Any] = {"stage": "pretrain", "evaluate": False}
    return {
        "schema_version": 2,
        "extends": "mixtures/miniature.yaml",
        "run": {"name": f"smoke_{kind}", "directory": str(directory), "seed": 1},
        "model": _model(kind, size, hidden),
        "data": {
            "world": {
                "seed": 1,
                "tokens": dict.fromkeys(("general", "math"), size.world_tokens)
                | dict.fromkeys(("song", "arithmetic", "raw_questions", "code", "science"), 1000),
                "evaluation_prompts": 4,
                "rl_prompts": {"math": 4, "code": 4, "science": 4},
            },
            "blends": {"smoke": {"general": 50, "math": 50}},
        },
        "midtrain": {
            "blend": "smoke",
            "sequence_length": size.length,
            "micro_batch_size": 1,
            "global_batch_size": size.global_batch,
            "steps": STEPS,
            "precision": size.precision,
            "optimizer": {"learning_rate": 1e-4},
            "schedule": {"kind": "cosine", "warmup_steps": 2, "final_fraction": 0.1},
            "checkpoint": {"every_steps": SAVE_EVERY if kind == "resume" else STEPS, "keep_last": 2},
        },
        "pipeline": dict.fromkeys(("whole", "killed") if kind == "resume" else ("train",), training),
    }


def _model(kind: Kind, size: Size, hidden: int) -> dict[str, Any]:
    heads = max(2, hidden // 128)
    model = {
        "family": "llama",
        "num_layers": size.layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "ffn_hidden_size": 4 * hidden,
        "activation": "swiglu",
        "rope_base": 10_000,
        "max_position_embeddings": size.length,
        "tie_embeddings": False,
        "vocab_size": size.vocabulary,
    }
    if kind != "hybrid":
        return model
    inner = 2 * hidden
    mamba = {"inner_size": inner, "state_dim": 128, "head_dim": min(64, hidden), "num_groups": 1, "chunk_size": 256}
    own = {"family": "nemotron_h", "activation": "squared_relu", "rope_base": None, "mamba": mamba}
    return {**model, **own, "num_layers": len(size.hybrid_pattern), "hybrid_pattern": size.hybrid_pattern}
