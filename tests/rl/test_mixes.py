"""The paper's mixes (section 9), draws that no order changes, and templates of multiple-choice prompts."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from prism.errors import BadInput
from prism.recipe import DifficultyConfig, RlConfig
from prism.recipe.compose import RECIPES, compose
from prism.rl.mixes import DomainMix, Measured, domain_mixes, keep, mix
from prism.rl.prompt_draw import drawn, prompt_number
from prism.rl.prompts import RlPrompt
from prism.rl.templates import with_template
from prism.score.choice import verify_choice
from prism.score.choice_templates import CHOICE_TEMPLATES


def measured(domain: str, counts: dict[int, int], samples: int = 16) -> list[Measured]:
    """So many prompts by number of right responses, in a random order."""
    rights = [correct for correct, count in counts.items() for _ in range(count)]
    random.Random(domain).shuffle(rights)
    return [
        Measured(RlPrompt(domain, f"{domain} {place}", {"id": place}), correct, samples)
        for place, correct in enumerate(rights)
    ]


def spread(kept: tuple[Measured, ...]) -> Counter[int]:
    return Counter(one.correct for one in kept)


def packaged(name: str) -> RlConfig:
    """`rl` of a packaged stage."""
    values = compose(RECIPES / f"stages/{name}.yaml").values["rl"]
    return RlConfig.model_validate(values)


def paper(name: str, **keep_: int) -> dict[str, DomainMix]:
    """A packaged mix, with smaller numbers of prompts."""
    rules = domain_mixes(packaged(name).difficulty, ["math", "code", "science"])
    return {domain: replace(rule, keep=keep_.get(domain, rule.keep)) for domain, rule in rules.items()}


COUNTS = {
    "math": {0: 50, 1: 30, 2: 20, 8: 20, 16: 10},
    "code": {0: 60, 1: 4, 5: 5, 16: 3},
    "science": {0: 40, 1: 10, 9: 10, 15: 5},
}


def test_the_unbalanced_mix_has_math_solved_once_and_whatever_else_was_solved() -> None:
    rows = [one for domain, counts in COUNTS.items() for one in measured(domain, counts)]
    kept = mix(rows, paper("rl_unbalanced_mcs"), seed=1)
    assert spread(kept["math"].prompts) == {1: 30}
    assert spread(kept["code"].prompts) == {1: 4, 5: 5, 16: 3}
    assert spread(kept["science"].prompts) == {1: 10, 9: 10, 15: 5}


def test_the_balanced_mix_has_as_many_of_each_domain_filled_with_unsolved_code_and_science() -> None:
    rows = [one for domain, counts in COUNTS.items() for one in measured(domain, counts)]
    kept = mix(rows, paper("rl_balanced_mcs", math=28, code=28, science=28), seed=1)
    assert spread(kept["math"].prompts) == {1: 28}
    assert spread(kept["code"].prompts) == {0: 16, 1: 4, 5: 5, 16: 3}
    assert spread(kept["science"].prompts) == {0: 3, 1: 10, 9: 10, 15: 5}
    assert (kept["code"].within, kept["code"].filled, kept["code"].measured) == (12, 16, 72)


@pytest.mark.parametrize("name", ["rl_unbalanced_mc", "rl_balanced_mc"])
def test_the_mixes_of_math_and_code_draw_no_science(name: str) -> None:
    config = packaged(name)
    assert set(config.mix) == set(config.difficulty.domains) == {"math", "code"}
    assert domain_mixes(config.difficulty, ["math", "code"]) == {
        domain: rule for domain, rule in paper(f"{name}s").items() if domain != "science"
    }


def test_the_papers_numbers() -> None:
    config = packaged("rl_paper")
    assert config.difficulty == packaged("rl_balanced_mcs").difficulty
    assert {own.keep for own in config.difficulty.domains.values()} == {19_000}
    assert [domain for domain, own in config.difficulty.domains.items() if own.templates] == ["science"]
    assert (config.difficulty.samples, config.temperature, config.top_p) == (16, 1.0, 1.0)
    unbalanced = packaged("rl_unbalanced_mcs").mix
    for domain, thousands in (("math", 19), ("code", 7), ("science", 17)):
        assert unbalanced[domain] == pytest.approx(100 * thousands / 43, abs=0.01)


def test_a_domain_without_a_rule_of_its_own_takes_the_bounds_of_all() -> None:
    config = DifficultyConfig.model_validate(
        {"min_correct": 2, "max_correct": 9, "domains": {"math": {"max_correct": 4, "keep": 7}, "code": {"keep": 3}}}
    )
    assert domain_mixes(config, ["math", "code", "science"]) == {
        "math": DomainMix(2, 4, 7),
        "code": DomainMix(2, 9, 3),
        "science": DomainMix(2, 9),
    }


def test_a_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    rows = measured("code", {0: 100, 3: 100})
    rule = DomainMix(1, 16, 150, fill_with_unsolved=True)

    def names(order: list[Measured], name: str) -> list[str]:
        return [one.prompt.question for one in keep(order, rule, name).prompts]

    once = names(rows, "1")
    assert len(once) == len(set(once)) == 150
    assert once == [one.prompt.question for one in rows if one.prompt.question in set(once)]  # in their order
    assert set(names(rows[::-1], "1")) == set(once)
    assert set(names(rows, "2")) != set(once)


def test_the_draw_of_fewer_lies_within_the_draw_of_more() -> None:
    prompts = [one.prompt for one in measured("code", {0: 60})]
    few, many = (drawn(prompts, count, lambda prompt: prompt, "name") for count in (10, 30))
    assert len(few) == 10 and {id(one) for one in few} < {id(one) for one in many}
    assert drawn(prompts, 100, lambda prompt: prompt, "name") == prompts


def test_a_draw_is_uniform() -> None:
    prompts = [one.prompt for one in measured("code", {0: 20})]
    times = Counter(
        prompt.question for seed in range(2_000) for prompt in drawn(prompts, 5, lambda one: one, str(seed))
    )
    assert all(400 < times[prompt.question] < 600 for prompt in prompts)  # 500 expected, 19 its deviation


def test_fewer_than_wanted_are_all_kept_and_prompts_without_samples_never() -> None:
    rows = [*measured("code", {0: 2, 1: 3}), Measured(RlPrompt("code", "too long", {}), 0, 0)]
    kept = keep(rows, DomainMix(1, 16, 100, fill_with_unsolved=True), "1")
    assert spread(kept.prompts) == {0: 2, 1: 3}
    assert keep(rows, DomainMix(0, 16), "1").within == 5


def test_a_prompts_number_is_its_own() -> None:
    numbers = {prompt_number(one.prompt) for domain in COUNTS for one in measured(domain, {0: 500})}
    assert len(numbers) == 1_500
    assert all(0 <= number < 1 << 63 for number in numbers)


def science(number: int) -> RlPrompt:
    verifier = {"kind": "choice", "choices": ["iron", "gold"], "question": f"Which metal rusts ({number})?"}
    row = {"id": number, "prompt": f"Which? A) iron B) gold ({number})", "answer": "iron", "verifier": verifier}
    return RlPrompt("science", str(row["prompt"]), row, 3, 16)


def test_science_prompts_get_one_of_the_instructions_at_random() -> None:
    prompts = [science(number) for number in range(100 * len(CHOICE_TEMPLATES))]
    changed = [with_template(prompt, CHOICE_TEMPLATES, seed=1) for prompt in prompts]
    used = Counter(prompt.row["verifier"]["template"] for prompt in changed)
    assert set(used) == set(CHOICE_TEMPLATES) and min(used.values()) > 60  # 100 expected, 9 its deviation
    for prompt, before in zip(changed, prompts, strict=True):
        template = CHOICE_TEMPLATES[prompt.row["verifier"]["template"]]
        question = before.row["verifier"]["question"]
        assert prompt.question == prompt.row["prompt"] == f"{question}\n\nA) iron\nB) gold\n\n{template.instruction}"
        assert (prompt.correct_before, prompt.row["id"], prompt.row["answer"]) == (3, before.row["id"], "iron")
        right, wrong = template.example("A", "iron"), template.example("B", "gold")
        assert verify_choice([prompt.row] * 2, [right, wrong]) == [True, False]
    again = [with_template(prompt, CHOICE_TEMPLATES, seed=1) for prompt in prompts[::-1]]
    assert again[::-1] == changed
    assert [with_template(prompt, CHOICE_TEMPLATES, seed=2) for prompt in prompts] != changed


def test_other_prompts_stay_as_they_are_and_choices_without_parts_are_refused() -> None:
    math = RlPrompt("math", "1 + 1 ?", {"verifier": {"kind": "math"}})
    assert with_template(math, CHOICE_TEMPLATES, seed=1) is math
    with pytest.raises(BadInput, match="put an instruction"):
        with_template(RlPrompt("science", "?", {"verifier": {"kind": "choice"}}), CHOICE_TEMPLATES, seed=1)
