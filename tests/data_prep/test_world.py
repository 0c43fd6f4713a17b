"""The miniature's world."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import DataError
from data_prep.files import read_jsonl
from data_prep.schema import WorldConfig
from data_prep.world import generate
from data_prep.world.vocabulary import WORDS

MODULUS = 5
DOMAINS = ("math", "code", "science")
TOKENS = {
    "general": 12_000,
    "song": 20_000,
    "arithmetic": 4_000,
    "raw_questions": 6_000,
    "math": 12_000,
    "code": 6_000,
    "science": 8_000,
}


def config(**changes: Any) -> WorldConfig:
    settings = {"seed": 7, "modulus": MODULUS, "tokens": TOKENS, "evaluation_prompts": 60, "rl_prompts": {"code": 80}}
    return WorldConfig(**{**settings, **changes})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("world")
    generate(config(), directory)
    return directory


def rows(world: Path, name: str) -> list[dict[str, Any]]:
    return list(read_jsonl(world / f"{name}.jsonl"))


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}


def steps(reasoning: str) -> list[tuple[str, int, int, int]]:
    """Operator, value, start and result of each step of a math trace."""
    found = re.findall(r"s\d ([-+*]) (\d) \. (\d) = (\d)", reasoning)
    return [(operator, int(value), int(start), int(result)) for operator, value, start, result in found]


def apply(operator: str, value: int, start: int) -> int:
    return {"+": start + value, "-": start - value, "*": start * value}[operator] % MODULUS


def test_the_same_seed_gives_the_same_bytes(world: Path, tmp_path: Path) -> None:
    generate(config(), tmp_path)
    assert contents(tmp_path) == contents(world)


def test_another_seed_gives_another_world(world: Path, tmp_path: Path) -> None:
    generate(config(seed=8), tmp_path)
    assert all((tmp_path / f"{name}.jsonl").read_bytes() != (world / f"{name}.jsonl").read_bytes() for name in TOKENS)


def test_a_world_that_is_there_is_left_alone_until_its_settings_change(tmp_path: Path) -> None:
    generate(config(), tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    generate(config(), tmp_path)
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    generate(config(trace_noise=0.5), tmp_path)
    assert before != {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}


def test_the_length_of_one_source_changes_no_other(world: Path, tmp_path: Path) -> None:
    generate(config(tokens={**TOKENS, "math": 500}), tmp_path)
    changed = {name for name, content in contents(tmp_path).items() if contents(world)[name] != content}
    assert changed == {"math.jsonl", "world.json"}


def test_a_source_holds_about_the_words_asked_for(world: Path) -> None:
    for source, words in TOKENS.items():
        written = sum(len(text.split()) for row in rows(world, source) for text in row.values())
        assert words <= written < words + 60


def test_a_source_that_the_world_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no source poetry"):
        generate(config(tokens={"poetry": 10}), tmp_path)


def test_every_word_of_the_vocabulary_occurs_and_no_other(world: Path) -> None:
    found = {word for source in TOKENS for row in rows(world, source) for text in row.values() for word in text.split()}
    assert found == set(WORDS)
    assert len(WORDS) == 91


def test_a_fact_is_the_same_wherever_it_is_stated(world: Path) -> None:
    colours: dict[tuple[str, str], set[str]] = {}
    for row in rows(world, "general"):
        for name, colour, thing in re.findall(r"(\w+) has a (\w+) (\w+) \.", row["text"]):
            colours.setdefault((name, thing), set()).add(colour)
        for thing, name, colour in re.findall(r"the (\w+) of (\w+) is (\w+) \.", row["text"]):
            colours.setdefault((name, thing), set()).add(colour)
    assert len(colours) == 120
    assert all(len(found) == 1 for found in colours.values())
    for question in rows(world, "facts"):
        thing, name = re.findall(r"the (\w+) of (\w+) is", question["context"])[0]
        assert {question["choices"][question["answer"]]} == colours[name, thing]
        assert len(set(question["choices"])) == 4


def test_general_documents_come_in_the_shares_of_their_forms(world: Path) -> None:
    kinds = Counter(
        ("likes" in row["text"], row["text"].count("."), row["text"].startswith("the "))
        for row in rows(world, "general")
    )
    total = sum(kinds.values())
    shares = {(False, 2, False): 0.3, (False, 1, True): 0.35, (False, 1, False): 0.3, (True, 1, False): 0.05}
    assert set(kinds) == set(shares)
    assert all(kinds[kind] / total == pytest.approx(share, abs=0.05) for kind, share in shares.items())


def test_a_song_repeats_three_to_eight_words_two_or_three_times(world: Path) -> None:
    for row in rows(world, "song"):
        words = row["text"].split()
        assert any(
            len(words) % times == 0
            and words == words[: len(words) // times] * times
            and 4 <= len(words) // times <= 9
            and words[-1] == "."
            for times in (2, 3)
        )


def test_bare_sums_are_right(world: Path) -> None:
    for row in rows(world, "arithmetic"):
        left, operator, right, _, result, _ = row["text"].split()
        assert apply(operator, int(right), int(left)) == int(result)


@pytest.mark.parametrize("domain", DOMAINS)
def test_held_out_questions_occur_nowhere_else(world: Path, domain: str) -> None:
    held_out = {row["prompt"] for row in rows(world, f"heldout_{domain}")}
    seen = {row["question"] for row in rows(world, domain)} | {
        row["prompt"] for row in rows(world, f"prompts_{domain}")
    }
    asked = {row["text"] for row in rows(world, "raw_questions")}
    assert held_out
    assert not held_out & (seen | asked)


def test_a_fifth_of_the_code_questions_is_held_out(tmp_path: Path) -> None:
    generate(config(tokens={}, evaluation_prompts=2_000, rl_prompts={"code": 2_000}), tmp_path)
    held_out = {row["prompt"] for row in rows(tmp_path, "heldout_code")}
    seen = {row["prompt"] for row in rows(tmp_path, "prompts_code")}
    assert len(held_out | seen) == 25 * 3 * 6  # programs, third points, orders
    assert len(held_out) / len(held_out | seen) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("domain", DOMAINS)
def test_rl_prompts_are_distinct(world: Path, domain: str) -> None:
    prompts = [row["prompt"] for row in rows(world, f"prompts_{domain}")]
    assert len(prompts) == len(set(prompts))


def test_a_quarter_of_the_redrawn_steps_goes_wrong_and_is_carried_on(world: Path) -> None:
    wrong = total = 0
    for row in rows(world, "math"):
        trace = steps(row["reasoning"])
        assert all(before[3] == after[2] for before, after in itertools.pairwise(trace))
        assert row["answer"] == str(trace[-1][3])
        wrong += sum(apply(operator, value, start) != result for operator, value, start, result in trace)
        total += len(trace)
    assert wrong / total == pytest.approx(0.25 * (1 - 1 / MODULUS), abs=0.03)


def test_without_noise_every_trace_is_right(tmp_path: Path) -> None:
    generate(config(trace_noise=0.0), tmp_path)
    for row in rows(tmp_path, "math"):
        assert all(
            apply(operator, value, start) == result for operator, value, start, result in steps(row["reasoning"])
        )


@pytest.mark.parametrize("name", ["heldout_math", "prompts_math"])
def test_evaluation_and_rl_ask_for_the_truth(world: Path, name: str) -> None:
    for row in rows(world, name):
        value = int(re.findall(r"Q calc (\d)", row["prompt"])[0])
        for operator, operand in re.findall(r"s\d ([-+*]) (\d)", row["prompt"]):
            value = apply(operator, int(operand), value)
        assert row["answer"] == str(value)


def test_every_program_that_is_asked_for_gives_its_examples(world: Path) -> None:
    for row in rows(world, "heldout_code"):
        cases = dict(map(tuple, row["verifier"]["cases"]))
        assert set(cases) == set(range(MODULUS))
        examples = {int(x): int(y) for x, y in re.findall(r"f (\d) = (\d)", row["prompt"])}
        assert len(examples) == 3
        assert examples.items() <= cases.items()


def test_a_science_question_offers_its_answer_among_four_options(world: Path) -> None:
    for row in rows(world, "heldout_science"):
        options = row["prompt"].split(" ? ")[1].split()
        assert row["verifier"]["choices"] == options
        assert len(set(options)) == 4
        assert row["answer"] in options


def test_a_file_that_went_missing_is_written_again(tmp_path: Path) -> None:
    generate(config(), tmp_path)
    before = contents(tmp_path)
    (tmp_path / "science.jsonl").unlink()
    generate(config(), tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("share", [0.0005, 0.9999])
def test_a_hold_out_that_leaves_a_side_empty_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="held_out_share: too few"):
        generate(config(held_out_share=share), tmp_path)
