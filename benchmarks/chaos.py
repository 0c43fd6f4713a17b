"""Kills training at random moments with SIGKILL and looks whether the resumed run is the undisturbed one, bit for bit.

For a dense and a hybrid model, in one process and in two (tensor parallel, then data parallel), a short stage is
trained once undisturbed. Then it is trained again and killed until the kills are used up, each at a moment drawn over
the whole life of a process: while it starts, trains, saves, or ends. Of two processes one is killed first and the other
a moment later. At the end metrics.jsonl (but for what depends on the clock) and every weight are compared.

chaos_rl.py does the same to RL.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import Ratio, quick, report

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

STEPS, RL_STEPS, EVERY = 60, 24, 4
WORLD = {
    "general": 20_000, "song": 12_000, "arithmetic": 6_000, "raw_questions": 6_000,
    "math": 30_000, "code": 16_000, "science": 16_000,
}  # fmt: skip
SETUPS = {
    "dense, 1 process": ("miniature", "mid", {}),
    "dense, 2 processes": ("miniature", "mid", {"processes": 2, "tensor_parallel": 2}),
    "hybrid, 1 process": ("miniature_hybrid", "mid", {}),
    "hybrid, 2 processes": ("miniature_hybrid", "mid", {"processes": 2}),
}
RL_SETUPS = {
    "dense, 1 process": ("miniature", "rl", {}),
    "dense, 2 processes": ("miniature", "rl", {"processes": 2}),
    "hybrid, 1 process": ("miniature_hybrid", "rl", {}),
    "hybrid, 2 processes": ("miniature_hybrid", "rl", {"processes": 2, "tensor_parallel": 2}),
}
_RL = (
    "pipeline.rl.from=base", "pipeline.rl.prompts_from=null", f"rl.steps={RL_STEPS}", "rl.prompts_per_step=6",
    "rl.responses_per_prompt=6", "rl.updates_per_step=2", "rl.refill_rounds=1", "rl.micro_batch_size=8",
    f"rl.checkpoint.every_steps={EVERY}", "rl.trajectory.every_steps=8",
)  # fmt: skip
"""The base of so few steps solves nothing: what its responses are worth differs by the penalties alone."""


@dataclass(frozen=True)
class Setup:
    """A recipe with its overrides, and how many processes train it."""

    recipe: str
    name: str
    overrides: tuple[str, ...]
    processes: int
    folder: Path

    @property
    def stage(self) -> Path:
        return self.folder / "stages" / self.name


def main(benchmark: str, setups: Mapping[str, tuple[str, str, dict[str, int]]], steps: int, kills: int) -> None:
    """Args: kills: of each setup."""
    total, identical, landed = 0, 0, dict.fromkeys(("starting", "training", "ended"), 0)
    figures: dict[str, Any] = {"steps": steps, "checkpoint every": EVERY}
    stream = random.Random(20_260_317)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["prism.pipeline.preload", "prism.train", "prism.rl"])
    with tempfile.TemporaryDirectory() as root:
        for name, (recipe, stage, cluster) in setups.items():
            setup = prepared(context, recipe, stage, cluster, Path(root))
            began = time.perf_counter()
            assert wait(start(context, setup)) == {0}, f"{name}: the undisturbed run failed"
            life = time.perf_counter() - began
            wanted = outcome(setup)
            shutil.rmtree(setup.stage)
            used = 0
            while used < kills:
                where = kill(start(context, setup), setup, stream, life)
                landed[where] += 1
                if where == "ended":  # it was over before the kill: begin again
                    shutil.rmtree(setup.stage)
                else:
                    used += 1
            assert wait(start(context, setup)) == {0}, f"{name}: the resumed run failed"
            same = outcome(setup) == wanted
            total, identical = total + used, identical + used * same
            figures[name] = f"{used} kills, {'identical' if same else 'DIFFERENT'}"
            figures[f"{name}, seconds undisturbed"] = round(life, 2)
    figures |= {f"kills while {where}": count for where, count in landed.items()}
    figures["kills"] = total
    report(benchmark, {"bit_identical_after_kills": Ratio(identical / total, 1.0)}, figures)


def prepared(context: Any, recipe: str, stage: str, cluster: dict[str, int], root: Path) -> Setup:
    """Data prepared and the base trained, in a process of its own."""
    name = f"{recipe}-{stage}-{cluster.get('processes', 1)}"
    overrides = (
        f"run.directory={root}", f"run.name={name}",
        *(f"data.world.tokens.{source}={words}" for source, words in WORLD.items()),
        "midtrain.micro_batch_size=8", "pipeline.base.with.steps=10",
        f"pipeline.mid.with.steps={STEPS}", f"midtrain.checkpoint.every_steps={EVERY}",
        *_RL,
    )  # fmt: skip
    alone = Setup(recipe, stage, overrides, 1, root / name)
    process = context.Process(target=prepare, args=(alone,))
    process.start()
    assert wait([process]) == {0}, "the data can't be prepared"
    spread = tuple(f"cluster.{key}={value}" for key, value in cluster.items())
    return Setup(recipe, stage, (*overrides, *spread), cluster.get("processes", 1), root / name)


def prepare(setup: Setup) -> None:
    from prism.pipeline.node import dispatch
    from prism.recipe import load_recipe

    recipe = load_recipe(setup.recipe, setup.overrides)
    dispatch(recipe, setup.folder, "data")
    dispatch(recipe, setup.folder, "base")


def start(context: Any, setup: Setup) -> list[BaseProcess]:
    port = random.SystemRandom().randrange(20_000, 60_000)
    processes = [context.Process(target=run_stage, args=(setup, rank, port)) for rank in range(setup.processes)]
    for process in processes:
        process.start()
    return processes


def run_stage(setup: Setup, rank: int, port: int) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(setup.processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    from prism.recipe import load_recipe
    from prism.rl import run_rl
    from prism.train import run_training

    run = run_rl if setup.name == "rl" else run_training
    run(load_recipe(setup.recipe, setup.overrides), setup.name)


def kill(processes: list[BaseProcess], setup: Setup, stream: random.Random, life: float) -> str:
    """Kills at a moment of the process's life; says where it was then."""
    rows = _rows(setup)
    time.sleep(stream.uniform(0, life))
    over = any(not process.is_alive() for process in processes)
    for process in stream.sample(processes, len(processes)):
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(stream.uniform(0, 0.05))
    wait(processes)
    if over:
        return "ended"
    return "starting" if _rows(setup) <= rows else "training"


def _rows(setup: Setup) -> int:
    metrics = setup.stage / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def wait(processes: list[BaseProcess]) -> set[int | None]:
    for process in processes:
        process.join()
    return {process.exitcode for process in processes}


def outcome(setup: Setup) -> tuple[list[dict[str, Any]], str]:
    """The loss curve and a hash of the exported weights."""
    rows = [json.loads(line) for line in (setup.stage / "metrics.jsonl").read_text().splitlines()]
    kept = ("step", "loss", "loss_by_source", "grad_norm") if setup.name == "mid" else rows[0].keys() - {"timing"}
    curve = [{key: value for key, value in row.items() if key in kept} for row in rows]
    digest = hashlib.blake2b()
    for file in sorted(f for folder in ("hf", "trajectory") for f in (setup.stage / folder).rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return curve, digest.hexdigest()


def prepare_environment() -> None:
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PRISM_BACKEND": "cpu"}


if __name__ == "__main__":
    prepare_environment()
    main("chaos", SETUPS, STEPS, kills=1 if quick() else 13)
