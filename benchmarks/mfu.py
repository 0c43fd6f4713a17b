"""Model FLOP utilisation on one GPU: a dense and a hybrid model of over 1B parameters, bf16, sequences of 8,192 tokens.

    python benchmarks/mfu.py            a GPU; without one it measures nothing and says so
    python benchmarks/mfu.py --quick    small models, on a CPU too: shows that both contenders run

The dense model's peer is a plain PyTorch loop: SDPA, bf16 autocast over fp32 weights, fused AdamW, torch.compile. The
hybrid has no such peer; its MFU stands alone. FLOPs are those of `prism.train.flops`, the same for both contenders.
Contenders run in processes of their own, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _harness import Ratio, report

ROUNDS, STEPS, WARM_UP = 3, 10, 5
_HYBRID = {"family": "nemotron_h", "activation": "squared_relu", "rope_base": None}


@dataclass(frozen=True)
class Shape:
    """A model as a recipe's section, and a batch of it: one sequence."""

    model: dict[str, Any]
    vocabulary: int
    length: int


def shape_of(name: str, small: bool) -> Shape:
    """The model `name`, at its true size or small enough for a CPU."""
    hidden, heads, length, vocabulary = (64, 2, 64, 128) if small else (2_048, 16, 8_192, 32_768)
    sizes = {"hidden_size": hidden, "num_attention_heads": heads, "max_position_embeddings": length}
    if name == "dense":
        return Shape({**sizes, "num_layers": 2 if small else 18, "ffn_hidden_size": 4 * hidden}, vocabulary, length)
    pattern = "M-*-" if small else "M-M-M-M*-" * 5
    mamba = {"inner_size": 2 * hidden, "state_dim": 128, "head_dim": 64, "num_groups": 1 if small else 8}
    shape = {**_HYBRID, **sizes, "num_layers": len(pattern), "hybrid_pattern": pattern, "ffn_hidden_size": 4 * hidden}
    return Shape({**shape, "mamba": {**mamba, "chunk_size": 256}}, vocabulary, length)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small models, few rounds; the figures mean little")
    parser.add_argument("contender", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        _contend(*options.contender, small=options.quick)
        return
    if not torch.cuda.is_available() and not options.quick:
        report("mfu", {}, {"not run": "there is no CUDA device"})
        return
    figures: dict[str, Any] = {}
    medians = {}
    for name, contender in (("dense", "plain"), ("dense", "prism"), ("hybrid", "prism")):
        found = [_run(contender, name, options.quick) for _ in range(1 if options.quick else ROUNDS)]
        seconds = medians[name, contender] = statistics.median(one["seconds"] for one in found)
        figures |= {
            f"{name}, parameters": found[0]["parameters"],
            f"{name}, {contender}: tokens a second": found[0]["tokens"] / seconds,
            f"{name}, {contender}: memory, GiB": found[0]["memory_gib"],
        }
        if found[0]["peak"] is not None:
            figures[f"{name}, {contender}: MFU, %"] = 100 * found[0]["flops"] / seconds / found[0]["peak"]
    speed = medians["dense", "plain"] / medians["dense", "prism"]
    report("mfu", {} if options.quick else {"dense_over_compiled_plain_loop": Ratio(speed, 1.0)}, figures)


def _run(contender: str, name: str, small: bool) -> dict[str, Any]:
    command = [sys.executable, __file__, *(["--quick"] if small else []), contender, name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False)
    if done.returncode:
        sys.exit(f"{contender} of {name} failed:\n{done.stderr[-3_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _contend(contender: str, name: str, *, small: bool) -> None:
    """Runs one contender and prints what it took."""
    if not torch.cuda.is_available():
        os.environ["PRISM_BACKEND"] = "cpu"
    from prism.recipe import ModelConfig
    from prism.train.flops import pairs_seen, token_flops
    from prism.train.throughput import device_peak

    shape = shape_of(name, small)
    seconds = []
    with ExitStack() as stack:
        step, parameters = _plain(shape) if contender == "plain" else _prism(shape, stack)
        for _ in range(2 if small else WARM_UP + STEPS):
            began = time.perf_counter()
            step()
            _wait()
            seconds.append(time.perf_counter() - began)
    flops = token_flops(ModelConfig.model_validate(shape.model), shape.vocabulary, shape.length)
    memory = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None
    print(
        json.dumps(
            {
                "seconds": statistics.median(seconds[1 if small else WARM_UP :]),
                "parameters": parameters,
                "tokens": shape.length,
                "flops": shape.length * flops.training(pairs_seen(shape.length, None)),
                "peak": device_peak(),
                "memory_gib": memory,
            }
        )
    )


def _plain(shape: Shape) -> tuple[Callable[[], object], int]:
    from _plain import PlainModel, Sizes

    device = "cuda" if torch.cuda.is_available() else "cpu"
    keys = ("num_layers", "hidden_size", "num_attention_heads")
    sizes = Sizes(*(shape.model[key] for key in keys), inner=shape.model["ffn_hidden_size"])
    model = PlainModel(shape.vocabulary, shape.length, sizes).to(device)
    parameters = sum(weight.numel() for weight in model.parameters())
    adam = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    inputs, labels = (tensor.to(device) for tensor in _batch(shape))

    def loss_of(tokens: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16):
            logits = model(tokens)
        return torch.nn.functional.cross_entropy(logits.float().view(-1, shape.vocabulary), labels.view(-1))

    compiled = torch.compile(loss_of) if device == "cuda" else loss_of

    def step() -> None:
        loss = compiled(inputs)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return step, parameters


def _prism(shape: Shape, stack: ExitStack) -> tuple[Callable[[], object], int]:
    from prism.megatron.backend import backend
    from prism.megatron.blend import SourceBatch
    from prism.megatron.parallel import Layout, process_groups
    from prism.megatron.trainee import Trainee
    from prism.recipe import ModelConfig, OptimizerConfig
    from prism.train.loss import REPORT, NextTokenLoss

    layout = Layout(distributed_optimizer=False)
    stack.enter_context(process_groups(layout, seed=1))
    model = ModelConfig.model_validate(shape.model)
    trainee = Trainee(model, shape.vocabulary, layout, OptimizerConfig(learning_rate=1e-4), "bf16")
    trainee.initialise(1)
    inputs, labels = (tensor.to(backend().device) for tensor in _batch(shape))
    batch = SourceBatch.whole(inputs, labels, torch.zeros(1, dtype=torch.long, device=backend().device))
    loss = NextTokenLoss(1)
    parameters = sum(weight.numel() for weight in trainee.chunk.parameters())
    return lambda: trainee.step([batch], loss, 1e-4, REPORT), parameters


def _batch(shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, shape.vocabulary, (1, shape.length + 1), generator=generator)
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
