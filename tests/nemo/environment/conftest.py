"""NeMo's own environment, and a run of which it trains a stage. `make test-nemo` builds it and names its Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

from data_prep.files import write_jsonl
from data_prep.formats import render_question_answer
from tests.nemo.made import MATH, SCIENCE

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
MINUTES = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("nemo"))
            item.add_marker(pytest.mark.timeout(60 * MINUTES))
            if "PRISM_TEST_NEMO" not in os.environ:
                item.add_marker(pytest.mark.skip(reason="PRISM_TEST_NEMO names NeMo's Python (make test-nemo)"))


@pytest.fixture(scope="session")
def there() -> Callable[..., str]:
    """Runs a program of `there/` by NeMo's Python on so many ranks; fails with what it printed."""

    def run(program: str, *arguments: object, ranks: int = 1) -> str:
        module = f"tests.nemo.environment.there.{program}"
        command = [os.environ["PRISM_TEST_NEMO"], "-m"]
        command += ["torch.distributed.run", "--nproc-per-node", str(ranks), "--rdzv-backend", "c10d"]
        command += ["--rdzv-endpoint", "localhost:0", "-m", module, *map(str, arguments)]
        given = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_DEVICE_MAX_CONNECTIONS": "1"}
        out = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **given}, stdout=out, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                said, _ = process.communicate(timeout=60 * MINUTES // 2)
            except subprocess.TimeoutExpired:
                process.terminate()  # torchrun ends its ranks, by force after 30 s
                said, _ = process.communicate()
        assert process.returncode == 0, said[-8_000:]
        return said

    return run


@pytest.fixture(scope="session")
def recipes(there: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What there/recipes.py says, by model and variant."""
    out = tmp_path_factory.mktemp("recipes") / "out.json"
    there("recipes", out)
    return dict(json.loads(out.read_text()))


@pytest.fixture(scope="session")
def tiny() -> Callable[[str, Path], None]:
    """Makes a Hugging Face folder of the named tiny model, with random weights."""
    code = "import sys; from pathlib import Path; from tests.models.reference import make\n"
    code += "make(sys.argv[1], Path(sys.argv[2]))"
    return lambda name, folder: _here(["-c", code, name, folder])


@pytest.fixture(scope="session")
def prepared(tiny: Callable[[str, Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder: recipe, two tokenised sources in a locked blend, and the stage that mid-training starts from."""
    root = tmp_path_factory.mktemp("nemo_run")
    hf = root / "hf"
    tiny("mistral_small_24b", hf)
    texts = [render_question_answer(question, answer, trace) for question, trace, answer in MATH + SCIENCE]
    for name, rows in {"a": texts * 20, "b": texts[::-1] * 10}.items():
        write_jsonl(root / f"{name}.jsonl", [{"text": f"{text} {number % 7}"} for number, text in enumerate(rows)])
    run = root / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(yaml.safe_dump(_recipe(root, hf)))
    for node in ("data", "base"):
        _here(["-m", "prism.pipeline.node", run, node])
    tokens = torch.randint(0, 40, (2, 24), generator=torch.Generator().manual_seed(5))
    save_file({"tokens": tokens}, root / "tokens")
    return run


@pytest.fixture(scope="session")
def trained(prepared: Path, there: Callable[..., str]) -> Path:
    """The run after NeMo trained its stage `mid` over gloo at TP 2: plumbing, with layers that no GPU would take."""
    there("node", prepared, "mid", ranks=2)
    return prepared


def _recipe(root: Path, hf: Path) -> dict[str, Any]:
    from prism.models.family import identify

    sources = {name: {"path": str(root / f"{name}.jsonl"), "domain": "math"} for name in "ab"}
    return {
        "run": {"name": "run", "directory": str(root)},
        "model": identify(hf).model_dump(mode="json"),
        "data": {
            "tokenizer": {"kind": "word_level", "vocab_size": 300},
            "sources": sources,
            "blends": {"mix": {"a": 75, "b": 25}},
            "max_epochs": 100,
        },
        "midtrain": {
            "engine": "nemo",
            "blend": "mix",
            "sequence_length": 32,
            "micro_batch_size": 2,
            "global_batch_size": 4,
            "steps": 7,
            "precision": "fp32",
            "schedule": {"kind": "cosine", "warmup_steps": 2},
            "optimizer": {"learning_rate": 1e-3},
            "checkpoint": {"every_steps": 3, "asynchronous": False},
        },
        "cluster": {
            "processes": 2,
            "tensor_parallel": 2,
            "distributed_optimizer": False,
            "overlap_communication": False,
        },
        "pipeline": {
            "base": {"stage": "import", "with": {"path": str(hf)}, "cluster": {"processes": 1, "tensor_parallel": 1}},
            "mid": {"stage": "midtrain", "from": "base"},
        },
    }


def _here(arguments: list[object]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRISM_BACKEND": "cpu"}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6_000:]
