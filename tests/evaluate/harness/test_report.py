"""What the report's tables make of result files that the harness's tasks left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import Subject, folder_subject
from prism.evaluate.task import load_task
from prism.megatron.parallel import Layout, process_groups
from prism.paper import benchmarks, mean_of
from prism.report import load_results
from prism.report.tables import Cell, build_tables
from tests.evaluate.harness.test_run import harness_task, result_of
from tests.report import made_up_run

pytestmark = pytest.mark.xdist_group("harness")
_MUSR = {"murder_mysteries": 2, "object_placements": 5, "team_allocation": 3}
_FIRST_BOARD = {"arc": "arc", "hellaswag": "arc", "mmlu": "stem", "truthfulqa": "truthful", "winogrande": "winogrande"}
"""The harness's tasks at hand that stand in for those of the board's first version."""


def write_musr(folder: Path) -> None:
    """As on the hub: a file a subtask, the choices as text."""
    files = []
    for split, choices in _MUSR.items():
        names = [f"name {number}" for number in range(choices)]
        rows = [
            {"narrative": f"Story {n}.", "question": "Who?", "choices": str(names), "answer_choice": names[n % choices],
             "answer_index": n % choices}
            for n in range(8)
        ]  # fmt: skip
        made_up_run.write_text(folder / f"{split}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
        files.append(f"  - {{split: {split}, path: {split}.jsonl}}\n")
    card = "configs:\n- config_name: default\n  data_files:\n" + "".join(files)
    made_up_run.write_text(folder / "README.md", f"---\n{card}---\n")


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose base model was evaluated on tasks of both boards."""
    run = tmp_path_factory.mktemp("harness") / "run"
    made_up_run.write_recipe(run, {"pipeline": {"base": {"stage": "import", "with": {"path": "models/llama_3_1_8b"}}}})
    write_musr(run.parent / "data" / "TAUR-Lab" / "MuSR")
    musr = load_task("leaderboard_musr").model_copy(update={"path": str(run.parent / "data")})
    named = [
        harness_task(tiny, own, name=f"general_{name if name != 'arc' else 'arc_challenge'}", limit=6)
        for name, own in _FIRST_BOARD.items()
    ]
    gsm8k = harness_task(tiny, "gsm8k", name="general_gsm8k", limit=6)
    with process_groups(Layout(), seed=1):
        subject: Subject = folder_subject(tiny / "hf", tmp_path_factory.mktemp("weights"), Layout(), batch_size=7)
        evaluate_tasks(subject, [*named, gsm8k, musr], run / "stages/base/evaluate")
    yield run


def of_base(run: Path) -> dict[str, Cell]:
    (table,) = build_tables(load_results(run), [6])
    row = next(row for row in table.rows if row.labels[-1] == "run, base")
    return {column.title: cell for column, cell in zip(table.columns, row.cells, strict=True)}


def result(run: Path, task: str) -> dict[str, Any]:
    return result_of(run / "stages/base/evaluate", task)


def test_the_first_boards_average_is_the_mean_of_the_six_main_metrics(run: Path) -> None:
    found = of_base(run)["LB V1"]
    mains = [
        next(iter(result(run, task)["metrics"].values()))["value"]
        for name in benchmarks().averages["lb_v1"].parts
        for task in benchmarks().benchmarks[name].tasks
    ]
    assert len(mains) == 6
    assert found.value == pytest.approx(100 * sum(mains) / 6)
    assert {Path(source.path).name for source in found.sources} >= {"general_mmlu.json", "general_gsm8k.json"}


def test_an_average_of_the_second_board_lacks_five_of_six(run: Path) -> None:
    found = of_base(run)["LB V2"]
    assert found.value is None and any("prism eval RECIPE --stage base" in note for note in found.notes)


def test_a_score_of_the_second_board_is_the_mean_of_its_rescaled_subtasks(run: Path) -> None:
    from prism.report.tables.scores import benchmark_estimate

    task = load_results(run).stages["base"].tasks["leaderboard_musr"]
    found = benchmark_estimate(task, benchmarks().benchmarks["musr"])
    raw = {name: result(run, task.task)["tasks"][f"leaderboard_musr_{name}"]["metrics"]["acc_norm"] for name in _MUSR}
    above = [max(0.0, (raw[name]["value"] - 1 / n) / (1 - 1 / n)) for name, n in _MUSR.items()]
    assert found is not None and found.value == pytest.approx(sum(above) / 3)
    assert found.low <= found.value <= found.high


def test_the_averages_of_the_boards_weigh_every_benchmark_alike() -> None:
    known = benchmarks().averages
    for board in ("lb_v1", "lb_v2"):
        values = {name: float(number) for number, name in enumerate(known[board].parts)}
        assert mean_of(board, values) == pytest.approx(2.5)
