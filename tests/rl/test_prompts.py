import json
from collections import Counter
from pathlib import Path

import pytest

from data_prep.api import prepare_prompts, prompts_path
from data_prep.files import write_jsonl
from data_prep.schema import DecontaminationConfig
from prism.errors import BadInput
from prism.rl.prompts import PromptSampler, RlPrompt, load_prompts
from prism.score.code_tests import read_tests
from tests.data_prep.prompts.published import prompt_set, write_code


def prompts(domain: str, count: int) -> list[RlPrompt]:
    return [RlPrompt(domain, f"{domain} {index}", {}) for index in range(count)]


def test_a_resumed_sampler_goes_on_as_if_it_had_not_stopped_though_steps_took_unequal_numbers() -> None:
    sets = {"math": prompts("math", 20), "code": prompts("code", 7)}
    rounds = [(1, 0, 8), (1, 1, 5), (2, 0, 8), (3, 0, 8), (3, 1, 2), (3, 2, 1), (4, 0, 30)]
    through = PromptSampler(sets, {"math": 60, "code": 40}, seed=3)
    drawn, states = [], []
    for each in rounds:
        states.append(json.loads(json.dumps(through.state())))
        drawn.append(through.draw(*each))
    for begin, state in enumerate(states):
        resumed = PromptSampler(sets, {"math": 60, "code": 40}, seed=3)
        resumed.restore(state)
        assert [resumed.draw(*each) for each in rounds[begin:]] == drawn[begin:]


def test_rounds_of_a_step_and_steps_draw_domains_of_their_own() -> None:
    sets = {"math": prompts("math", 500), "code": prompts("code", 500)}

    def domains(step: int, round: int) -> list[str]:
        sampler = PromptSampler(sets, {"math": 50, "code": 50}, seed=3)
        return [prompt.domain for prompt in sampler.draw(step, round, 40)]

    assert len({tuple(domains(step, round)) for step in (1, 2) for round in (0, 1)}) == 4


def test_a_state_of_other_domains_is_refused() -> None:
    sampler = PromptSampler({"math": prompts("math", 5)}, {"math": 100}, seed=1)
    with pytest.raises(BadInput, match="code"):
        sampler.restore({"code": 3})


def test_a_domain_of_the_mix_without_prompts_is_refused() -> None:
    with pytest.raises(BadInput, match="no code prompts"):
        PromptSampler({"math": prompts("math", 5)}, {"math": 50, "code": 50}, seed=1)


def test_no_prompt_repeats_before_its_set_is_used_up() -> None:
    sampler = PromptSampler({"math": prompts("math", 12)}, {"math": 100}, seed=1)
    drawn = [prompt.question for step in range(1, 4) for prompt in sampler.draw(step, 0, 4)]
    assert Counter(drawn) == Counter(f"math {index}" for index in range(12))


def test_a_domain_with_no_share_is_never_drawn() -> None:
    sampler = PromptSampler({"math": prompts("math", 5), "code": prompts("code", 5)}, {"math": 100, "code": 0}, seed=1)
    assert {prompt.domain for prompt in sampler.draw(1, 0, 50)} == {"math"}


def test_a_row_without_a_prompt_is_named(tmp_path: Path) -> None:
    right = {"prompt": "1 + 1 ?", "answer": "2", "verifier": {"kind": "exact"}}
    write_jsonl(tmp_path / "set.jsonl", [right, {"question": "2 + 2 ?"}])
    with pytest.raises(BadInput, match=r"set\.jsonl:2"):
        load_prompts(tmp_path / "set.jsonl", "math")


def test_every_prepared_code_prompt_has_tests_that_the_verifier_reads(tmp_path: Path) -> None:
    write_code(tmp_path)
    sources = prompt_set(tmp_path, "deepcoder", "skywork_or1_code", "open_code_instruct")
    prepare_prompts({"code": sources}, DecontaminationConfig(), tmp_path / "data", log=lambda line: None)
    prompts = load_prompts(prompts_path(tmp_path / "data", "code"), "code")
    kinds = [read_tests(prompt.row["verifier"], prompt.question).kind for prompt in prompts]
    assert Counter(kinds) == {"call": 2, "stdin": 1, "check": 1, "asserts": 1}


def test_what_difficulty_measured_comes_with_the_prompt(tmp_path: Path) -> None:
    row = {"prompt": "1 + 1 ?", "answer": "2", "verifier": {"kind": "exact"}}
    write_jsonl(tmp_path / "set.jsonl", [{**row, "correct": 0, "samples": 16}, row])
    measured, other = load_prompts(tmp_path / "set.jsonl", "math")
    assert (measured.correct_before, measured.samples_before) == (0, 16)
    assert (other.correct_before, other.samples_before) == (None, None)
