"""RULER prompts: how long they are, what they hold, and that they are always the same."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from prism.errors import BadInput, RecipeError
from prism.evaluate.ruler.draft import RulerPrompt
from prism.evaluate.ruler.make import Material, make_prompt
from prism.evaluate.ruler.settings import CommonWordsTest
from prism.evaluate.ruler.words import Distinct
from prism.evaluate.task import RulerTask, load_tasks
from tests.evaluate.ruler.sizes import ARTICLES, ESSAY, SIZES, material, task

NAMES = [of.name for of in load_tasks(["ruler"])]
LENGTHS = {"words": (600, 2_000), "characters": (9_000, 20_000), "byte pairs": (3_000, 8_000)}


def prompt(name: str, index: int, length: int, size: str = "words", **changes: object) -> RulerPrompt:
    of = task(name, length=length, **changes)
    return make_prompt(of, index, material(of), SIZES[size])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_fills_its_length_and_never_exceeds_it_under_any_tokenizer(name: str, size: str) -> None:
    for index, length in enumerate(LENGTHS[size]):
        made = prompt(name, index, length, size)
        room = length - task(name).max_new_tokens
        assert made.tokens == SIZES[size](made.text) <= room
        assert made.tokens >= 0.85 * room


@pytest.mark.parametrize("name", NAMES)
def test_the_same_task_length_and_number_give_the_same_prompt_whatever_was_made_before(name: str) -> None:
    of = task(name, length=1_500)
    first = make_prompt(of, 3, material(of), SIZES["words"])
    make_prompt(of, 1, material(of), SIZES["words"])
    assert make_prompt(of, 3, material(of), SIZES["words"]) == first
    others = [prompt(name, 4, 1_500), prompt(name, 3, 1_600), prompt(name, 3, 1_500, seed=43)]
    assert all(other.text != first.text for other in others)


@pytest.mark.parametrize("name", [name for name in NAMES if "niah" in name])
def test_every_value_is_told_once_and_nowhere_else(name: str) -> None:
    for index in range(8):
        made = prompt(name, index, 1_200)
        assert len(made.expected) == len(made.depths) == (4 if name.endswith(("multivalue", "multiquery")) else 1)
        assert [made.text.count(value) for value in made.expected] == [1] * len(made.expected)
        told = re.findall(r"special magic \w+ for (\S+) is: (\S+)\.", made.text)
        assert len({value for _, value in told}) == len(told)
        assert len(set(told)) == len(told) >= len(made.expected)
        if not name.endswith("multivalue"):
            assert len({key for key, _ in told}) == len(told)
        asked = made.text.rpartition("What ")[2]
        assert {key for key, value in told if value in made.expected} == {key for key, _ in told if key in asked}


def test_needles_lie_evenly_over_the_whole_haystack() -> None:
    told = []
    for index in range(40):
        made = prompt("ruler_niah_single_1", index, 1_200)
        (place,) = (line for line, text in enumerate(made.text.split("\n")) if made.expected[0] in text)
        told.append((place - 1) / (made.text.count("\n") - 1))
        assert told[-1] == pytest.approx(made.depths[0], abs=0.03)
    assert Counter(min(3, int(4 * depth)) for depth in told) == {0: 10, 1: 10, 2: 10, 3: 10}


def test_a_value_that_the_text_holds_or_another_holds_is_not_drawn() -> None:
    values = iter(["rain", "big", "bigger", "large", "enlarged", "big", "ember"])
    distinct = Distinct(lambda: next(values), "away in the rain, by September")
    assert [distinct.draw(), distinct.draw()] == ["big", "large"]
    with pytest.raises(StopIteration):
        distinct.draw()


def test_a_vocabulary_that_runs_out_of_values_is_an_error() -> None:
    with pytest.raises(BadInput, match="no further key or value"):
        prompt("miniature_needle_noise", 0, 256, test={**task("miniature_needle_noise").test.model_dump(), "keys": 40})


@pytest.mark.parametrize("chains", [1, 3])
def test_the_names_of_a_value_follow_from_the_assignments_in_their_order(chains: int) -> None:
    test = {**task("ruler_vt").test.model_dump(), "chains": chains, "examples": 0}
    for index in range(5):
        made = prompt("ruler_vt", index, 1_000, test=test)
        asked = re.search(r"assigned the value (\d+) in", made.text)
        assert asked
        values: dict[str, str] = {}
        for name, other, number in re.findall(r"VAR (\w+) = (?:VAR (\w+)|(\d+))", made.text):
            values[name] = number or values[other]  # a name is told before it is used
        assert len(values) == 5 * chains
        assert [name for name, value in values.items() if value == asked[1]] == list(made.expected)


def test_a_solved_example_shares_no_name_with_the_prompt_proper() -> None:
    made = prompt("ruler_vt", 0, 1_000)
    example, _, proper = made.text.rpartition("Memorize")
    assert example.count("VAR ") == proper.count("VAR ") == 9
    assert not set(re.findall(r"VAR (\w+)", example)) & set(re.findall(r"VAR (\w+)", proper))


@pytest.mark.parametrize(("length", "often", "seldom"), [(2_000, 6, 1), (6_000, 30, 3)])
def test_common_words_are_listed_as_often_as_the_benchmark_does(length: int, often: int, seldom: int) -> None:
    made = prompt("ruler_cwe", 2, length)
    listed = re.findall(r"\d+\. (\S+)", made.text.rpartition("Below is")[2])
    counts = Counter(listed)
    assert {word for word, count in counts.items() if count == often} == set(made.expected)
    assert {count for word, count in counts.items() if word not in made.expected} == {seldom}
    assert len(made.expected) == 10


def test_common_words_can_come_from_a_small_vocabulary_without_numbers() -> None:
    test = CommonWordsTest(
        kind="common_words",
        common=2,
        words=("a", "b", "c", "d", "e"),
        numbered=False,
        prompt="{context} most",
        examples=0,
    )
    made = prompt("ruler_cwe", 0, 400, test=test.model_dump())
    assert Counter(made.text.split()) == {
        **dict.fromkeys("abcde", 1),
        **dict.fromkeys(made.expected, 6),
        "most": 1,
    }


def test_frequent_words_are_the_second_to_fourth_of_a_zeta_law() -> None:
    for index in range(5):
        made = prompt("ruler_fwe", index, 2_000)
        coded = made.text.partition("coded words. ")[2].partition("\n")[0].split()
        ranked = Counter(coded).most_common()
        assert ranked[0][0] == "..." and [word for word, _ in ranked[1:4]] == list(made.expected)
        assert ranked[3][1] > ranked[4][1]
        assert ranked[1][1] / ranked[0][1] == pytest.approx(1 / 4, rel=0.02)
        assert ranked[2][1] / ranked[0][1] == pytest.approx(1 / 9, rel=0.02)


def test_only_the_passage_of_the_question_holds_an_answer() -> None:
    for index, article in enumerate(ARTICLES):
        made = prompt("ruler_qa_1", index, 600)
        assert made.expected == tuple(article["answers"])
        documents = re.split(r"Document \d+:\n", made.text)[1:]
        holding = [text for text in documents if any(answer in text for answer in made.expected)]
        assert len(holding) == 1 and article["passages"][0] in holding[0]
        assert len(documents) > 10


def test_a_length_that_holds_no_prompt_is_an_error_that_names_one_that_does() -> None:
    with pytest.raises(RecipeError, match=r"ruler_niah_single_1@(\d+) or longer") as error:
        prompt("ruler_niah_single_1", 0, 140)
    least = int(re.search(r"@(\d+)", str(error.value))[1])  # type: ignore[index]
    assert prompt("ruler_niah_single_1", 0, least).tokens == least - 128


def test_an_essay_begins_anywhere_and_goes_on_from_the_front_after_its_end() -> None:
    of = task("ruler_niah_single_2", length=1_500)
    texts = [make_prompt(of, index, material(of), SIZES["words"]).text for index in range(6)]
    assert len({text.split("afterwards.\n")[1][:40] for text in texts}) > 1
    assert all(text.count(ESSAY[0].split(".")[0]) > 1 for text in texts)


def test_any_run_of_prompts_of_the_miniature_is_in_its_vocabulary() -> None:
    of: RulerTask = task("miniature_needle_noise")
    known = {*of.test.model_dump()["key_words"], *of.test.model_dump()["value_words"], *"code . Q".split()}
    made = make_prompt(of, random.Random(1).randrange(1_000), Material(), SIZES["words"])
    assert set(made.text.split()) <= {*known, *"then x and f has a likes .".split()}
    assert replace(made, text="").expected[0] in of.test.model_dump()["value_words"]
