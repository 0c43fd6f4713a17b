from collections import Counter
from pathlib import Path

import pytest

from data_prep.files import write_jsonl
from prism.errors import BadInput
from prism.rl.prompts import PromptSampler, RlPrompt, load_prompts


def prompts(domain: str, count: int) -> list[RlPrompt]:
    return [RlPrompt(domain, f"{domain} {index}", {}) for index in range(count)]


def test_a_step_draws_the_same_prompts_whatever_was_drawn_before() -> None:
    sets = {"math": prompts("math", 20), "code": prompts("code", 7)}
    through = PromptSampler(sets, {"math": 60, "code": 40}, seed=3)
    steps = [through.draw(step, 8) for step in range(1, 6)]
    resumed = PromptSampler(sets, {"math": 60, "code": 40}, seed=3)
    assert resumed.draw(5, 8) == steps[4]


def test_no_prompt_repeats_before_its_set_is_used_up() -> None:
    sampler = PromptSampler({"math": prompts("math", 12)}, {"math": 100}, seed=1)
    drawn = [prompt.question for step in range(1, 4) for prompt in sampler.draw(step, 4)]
    assert Counter(drawn) == Counter(f"math {index}" for index in range(12))


def test_a_domain_with_no_share_is_never_drawn() -> None:
    sampler = PromptSampler({"math": prompts("math", 5), "code": prompts("code", 5)}, {"math": 100, "code": 0}, seed=1)
    assert {prompt.domain for prompt in sampler.draw(1, 50)} == {"math"}


def test_a_row_without_a_prompt_is_named(tmp_path: Path) -> None:
    right = {"prompt": "1 + 1 ?", "answer": "2", "verifier": {"kind": "exact"}}
    write_jsonl(tmp_path / "set.jsonl", [right, {"question": "2 + 2 ?"}])
    with pytest.raises(BadInput, match=r"set\.jsonl:2"):
        load_prompts(tmp_path / "set.jsonl", "math")
