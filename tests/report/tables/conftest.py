"""Made-up runs of a model of the paper's and of the miniature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from data_prep.files import write_jsonl
from prism.evaluate.task import load_task
from prism.report import load_results
from prism.report.tables import Table, build_tables
from tests.report import made_up_run

AS_IN_PAPER = {"samples": 64, "temperature": 0.6, "top_p": 0.95, "max_new_tokens": 32_768, "limit": None}
CODE_AS_IN_PAPER = {**AS_IN_PAPER, "samples": 3, "temperature": 0.7}
SCORES = {
    "base": {
        "livecodebench": 0.01,
        "codeforces": 0.0,
        "aime24": 0.0,
        "aime25": 0.0,
        "math500": 0.07,
        "gpqa_diamond": 0.2,
    },
    "mid": {
        "livecodebench": 0.06,
        "codeforces": 0.05,
        "aime24": 0.2,
        "aime25": 0.18,
        "math500": 0.75,
        "gpqa_diamond": 0.4,
    },
    "rl": {"livecodebench": 0.15, "codeforces": 0.11, "aime24": 0.24, "aime25": 0.22, "math500": 0.78},
}
"""Fractions. RL has no GPQA-Diamond."""

SUB_COMPONENTS = {
    "attention.q": 0.1,
    "mamba.A": 0.1,
    "mamba.dt": 0.2,
    "mamba.D": 0.2,
    "embedding": 0.1,
    "output": 0.3,
    "norm": 0.1,
}


def write_paper_run(run: Path, model: str = "granite_3_3_8b", dtype: str = "bfloat16") -> Path:
    """A chain of import, mid-training and RL, with the paper's benchmarks; the pair mid and rl wasn't compared."""
    pipeline = {
        "base": {"stage": "import", "with": {"path": f"models/{model}"}},
        "mid": {"stage": "midtrain", "from": "base"},
        "rl": {"stage": "rl", "from": "mid", "with": {"mix": {"math": 50, "code": 50}}},
        "rl_from_base": {"stage": "rl", "from": "base"},
    }
    made_up_run.write_recipe(
        run,
        {
            "run": {"name": "my_run"},
            "midtrain": {"blend": "math_code_science"},
            "rl": {"mix": {"math": 40, "code": 30, "science": 30}},
            "pipeline": pipeline,
        },
    )
    for stage, scores in SCORES.items():
        for task, rate in scores.items():
            code = task in ("livecodebench", "codeforces")
            made_up_run.write_benchmark(run, stage, task, "code" if code else "math", rate,
                                        CODE_AS_IN_PAPER if code else AS_IN_PAPER)  # fmt: skip
    made_up_run.write_weights(run, "base", "mid", 0.2, 4.0, SUB_COMPONENTS, dtype)
    made_up_run.write_weights(run, "base", "rl_from_base", 0.0004, 96.0, SUB_COMPONENTS, dtype)
    return run


def write_confidence(
    run: Path, problems: int = 200, samples: int = 8, changed: Mapping[str, float] | None = None
) -> None:
    """Of two stages; a tenth of the mid-trained model's responses are right, the base model's are all wrong."""
    settings = load_task("math500_confidence").model_dump(mode="json") | {"samples": samples} | dict(changed or {})
    for stage in ("base", "mid"):
        right = stage == "mid"
        made_up_run.write_benchmark(run, stage, "math500_confidence", "math", 0.1 * right, settings)
        rows = [
            {
                "id": f"{number}",
                "prompt": "Q",
                "answer": "1",
                "responses": [
                    {"text": "1", "correct": right and number % 10 == 0, "tokens": 130 + number % 3, "nll": 0.4}
                    for _ in range(samples)
                ],
            }
            for number in range(problems)
        ]
        write_jsonl(run / f"stages/{stage}/evaluate/math500_confidence.samples.jsonl", rows)


@pytest.fixture(scope="session")
def paper_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Granite-3.3 in bf16."""
    run = write_paper_run(tmp_path_factory.mktemp("paper") / "my_run")
    write_confidence(run)
    return run


@pytest.fixture(scope="session")
def paper_tables(paper_run: Path) -> dict[int, Table]:
    return by_number(paper_run)


@pytest.fixture(scope="session")
def miniature_tables(miniature_run: Path) -> dict[int, Table]:
    return by_number(miniature_run)


def by_number(run: Path) -> dict[int, Table]:
    return {table.number: table for table in build_tables(load_results(run))}
