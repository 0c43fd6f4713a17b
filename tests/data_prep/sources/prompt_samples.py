"""Made-up rows of the RL prompt sets in their public layout, with what is made of them."""

from __future__ import annotations

import json

from tests.data_prep.sources.layout import Row, Sample, messages


def skywork(ability: str, ground_truth: str) -> Row:
    return {
        "data_source": "train", "prompt": messages("Find x."), "ability": ability,
        "reward_model": {"ground_truth": ground_truth, "style": "rule"},
        "extra_info": {"index": 1, "model_difficulty": {"DeepSeek-R1-Distill-Qwen-7B": 3}},
    }  # fmt: skip


def intellect(task: str, information: Row) -> Row:
    return {
        "problem_id": "p", "task_type": task, "prompt": "Find x.", "verification_info": json.dumps(information),
        "solve_rate_qwen_r1_distill_7b": 0.5,
    }  # fmt: skip


def instructed(score: str) -> Row:
    return {
        "id": "1",
        "input": "Write f.",
        "output": "...",
        "unit_tests": '["assert f()"]',
        "average_test_score": score,
    }


TESTS = '[{"input": "1", "output": "2", "testtype": "stdin_stdout"}]'

PROMPT_SAMPLES: dict[str, Sample] = {
    "deepscaler": Sample(
        {"deepscaler.json": [{"problem": "Find x.", "solution": "x is 7", "answer": "7"}]}, ["Find x.\n7"]
    ),
    "intellect_2": Sample(
        {
            "data/train-00000-of-00008.parquet": [
                intellect("verifiable_math", {"ground_truth": "7"}),
                intellect("verifiable_math", {"ground_truth": 7}),
                intellect("prime_rl_code", {"test_cases": json.dumps({"inputs": ["1"], "outputs": ["2"]})}),
            ]
        },
        ["Find x.\n7", "Find x.\n7"],
        {"task_type is not verifiable_math": 1},
    ),
    "skywork_or1_math": Sample(
        {"data/math-00000-of-00001.parquet": [skywork("math", '["7", "7.0"]'), skywork("code", "{}")]},
        ["Find x.\n7"],
        {"ability is not math": 1},
    ),
    "skywork_or1_code": Sample(
        {"data/code-00000-of-00001.parquet": [skywork("code", '{"inputs": ["1"], "outputs": ["2"]}')]},
        ['Find x.\n{"inputs": ["1"], "outputs": ["2"]}'],
    ),
    "deepcoder": Sample(
        {
            "primeintellect/train-00000-of-00001.parquet": [{"problem": "p", "tests": TESTS, "solutions": ["s"]}],
            "lcbv5/train-00000-of-00001.parquet": [{"problem": "l", "tests": TESTS, "starter_code": ""}],
            "lcbv5/test-00000-of-00001.parquet": [{"problem": "held out", "tests": TESTS, "starter_code": ""}],
            "codeforces/test-00000-of-00001.parquet": [{"problem": "held out", "tests": TESTS}],
        },
        [f"l\n{TESTS}", f"p\n{TESTS}"],
    ),
    "open_code_instruct": Sample(
        {"data/train-00000-of-00050.parquet": [instructed("1"), instructed("0.9"), instructed("1.0")]},
        ['Write f.\n["assert f()"]'] * 2,
        {"average_test_score < 1": 1},
    ),
}
"""By card; texts in the order of the files' names."""
