"""Small files in the public layout of each prompt set, and a preparation in a process of its own that can be killed.

python tests/data_prep/prompts/published.py SETS.json DIRECTORY WORKERS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from data_prep import api
from data_prep.read import units
from data_prep.schema import DecontaminationConfig, PromptSet, PromptSources
from tests.data_prep.sources.layout import Row, messages, write_rows

EVALUATION = "A bakery sells muffins for three dollars and cakes for nine dollars how many of each were sold on Friday"


def sum_question(number: int) -> str:
    return f"What is ${number} + {number}$?"


def deepscaler(problem: str, answer: str) -> Row:
    return {"problem": problem, "solution": f"It is {answer}.", "answer": answer}


def intellect(prompt: str, information: Row, task: str = "verifiable_math") -> Row:
    return {
        "problem_id": "p", "task_type": task, "prompt": prompt, "verification_info": json.dumps(information),
        "solve_rate_qwen_r1_distill_7b": 0.5,
    }  # fmt: skip


def skywork(ability: str, prompt: str, ground_truth: Any) -> Row:
    return {
        "data_source": "train", "prompt": messages(prompt), "ability": ability,
        "reward_model": {"ground_truth": json.dumps(ground_truth), "style": "rule"},
        "extra_info": {"index": 1, "model_difficulty": {"DeepSeek-R1-Distill-Qwen-7B": 3}},
    }  # fmt: skip


def stem(question: str, answer: str, category: str = "stem") -> Row:
    turns = [{**turn, "tool_calls": []} for turn in messages(question, answer)]
    return {"uuid": "u", "category": category, "reasoning": "on", "messages": turns, "metadata": "{}"}


def write_math(root: Path) -> None:
    write_rows(
        root / "deepscaler/deepscaler.json",
        [
            *(deepscaler(sum_question(number), str(2 * number)) for number in range(40)),
            deepscaler("Prove that there are infinitely many primes.", "see the proof"),
            deepscaler(f"{EVALUATION}?", "5"),
        ],
    )
    boxed = " Let's think step by step and output the final answer within \\boxed{}."
    write_rows(
        root / "intellect_2/data/train-00000-of-00008.parquet",
        [
            intellect(sum_question(3) + boxed, {"ground_truth": "6"}),  # asked before, the same answer
            intellect(sum_question(4) + boxed, {"ground_truth": "9"}),  # asked before, another answer
            *(intellect(sum_question(number) + boxed, {"ground_truth": 2 * number}) for number in range(100, 110)),
            intellect("Print 1.", {"test_cases": "{}"}, "prime_rl_code"),
        ],
    )
    write_rows(
        root / "skywork_or1_math/data/math-00000-of-00001.parquet",
        [
            skywork("math", sum_question(200), ["400", "400.0"]),
            skywork("math", sum_question(201), "402"),
            skywork("math", sum_question(202), []),
        ],
    )


def write_science(root: Path) -> None:
    options = "\n\nA) iron\nB) gold\nC) lead"
    write_rows(
        root / "nemotron_stem/data/stem-00000-of-00002.parquet",
        [
            stem(f"Which metal rusts?{options}", "<think>\nIs it B?\n</think>\nIt is \\boxed{A}."),
            stem(f"Which metal is yellow?{options}", "The correct answer is **B**."),
            stem("How heavy is lead?", "<think>\nhm\n</think>\nVery."),
            stem(f"Which metal is a metal?{options}", "<think>\nhm\n</think>\nAll of them are metals."),
            stem("-", "\\boxed{A}"),
        ],
    )


def write_code(root: Path) -> None:
    pairs = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
    functional = [{"input": "3", "output": "9", "testtype": "functional"}]
    write_rows(
        root / "deepcoder/taco/train-00000-of-00001.parquet",
        [{"problem": "Double it.", "tests": json.dumps(pairs), "solutions": ["s"]}],
    )
    write_rows(
        root / "deepcoder/lcbv5/train-00000-of-00001.parquet",
        [
            {
                "problem": "Square it.", "tests": json.dumps(functional), "starter_code": "class Solution:",
                "metadata": {"func_name": "square"},
            }
        ],
    )  # fmt: skip
    write_rows(
        root / "skywork_or1_code/data/code-00000-of-00001.parquet",
        [
            skywork("code", "Add them.", {"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}),
            skywork(
                "code",
                "Halve it.",
                {
                    "import_prefix": "import math",
                    "test_code": "def check(f):\n    assert f(4) == 2",
                    "entry_point": "f",
                },
            ),
            skywork("code", "Look it up.", {"question_id": "7", "inputs": None}),
        ],
    )
    rows = [("Write f.", '["\\nassert f(1) == 2\\n"]', "1"), ("Write g.", "[]", "1"), ("Write h.", "[]", "0.9")]
    write_rows(
        root / "open_code_instruct/data/train-00000-of-00050.parquet",
        [
            {"id": "1", "input": asked, "output": "...", "unit_tests": tests, "average_test_score": score}
            for asked, tests, score in rows
        ],
    )


def prompt_set(root: Path, *names: str, seed: int = 1, **keys: Any) -> PromptSet:
    return PromptSet.below(str(root), PromptSources.model_validate({"sources": list(names), **keys}), seed)


def evaluation(root: Path) -> DecontaminationConfig:
    write_rows(root / "evaluation/bakery.jsonl", [{"question": EVALUATION}])
    return DecontaminationConfig.model_validate({"sets": {"bakery": {"path": str(root / "evaluation/bakery.jsonl")}}})


def main() -> None:
    sets, directory, workers = sys.argv[1:]
    units.LEAST_BYTES = 1 << 15  # several units to the few megabytes of a test
    api.prepare_prompts(
        TypeAdapter(dict[str, PromptSet]).validate_json(Path(sets).read_bytes()),
        DecontaminationConfig(),
        Path(directory),
        executor=api.Executor(workers=int(workers)),
        log=lambda line: None,
    )


if __name__ == "__main__":
    main()
