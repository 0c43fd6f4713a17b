"""Long documents of the miniature's world."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from data_prep.schema import WorldConfig
from data_prep.world import generate
from data_prep.world.long_context import KEYS, NOISE, VALUES
from data_prep.world.vocabulary import WORDS

LONGEST = 252


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("world")
    tokens = {"needles": 60_000, "general": 500}
    generate(WorldConfig(seed=3, tokens=tokens, evaluation_prompts=5, rl_prompts={}), directory)
    return [row["text"] for row in read_jsonl(directory / "needles.jsonl")]


def test_what_is_asked_was_told_and_has_one_value(documents: list[str]) -> None:
    for text in documents:
        told, _, asked = text.partition("Q ")
        values: dict[str, set[str]] = {}
        for key, value in re.findall(r"code (\w+) (\w+) \.", told):
            values.setdefault(key, set()).add(value)
        questions = re.findall(r"code (\w+) (\w+)", asked)
        assert questions and len({key for key, _ in questions}) == len(questions)
        assert all(values[key] == {value} for key, value in questions)


def test_documents_are_of_every_length_and_never_longer_than_a_long_sequence(documents: list[str]) -> None:
    lengths = [len(text.split()) for text in documents]
    assert max(lengths) <= LONGEST
    halves = Counter(next(bound for bound in (32, 64, 128, LONGEST) if length <= bound) for length in lengths)
    assert all(halves[bound] > len(documents) / 8 for bound in (32, 64, 128, LONGEST))


def test_some_documents_tell_a_code_once_in_much_else_and_some_tell_little_else(documents: list[str]) -> None:
    shares = [text.count("code ") * 4 / len(text.split()) for text in documents if len(text.split()) > 128]
    assert min(shares) < 0.1 and max(shares) > 0.8


def test_what_lies_between_holds_neither_key_nor_value() -> None:
    assert not {*NOISE.split(), *"0 1 2 3 4 5 6 7 8 9 + - * = .".split()} & {*KEYS, *VALUES}
    assert {*KEYS, *VALUES, *NOISE.split()} <= set(WORDS)
    assert not set(KEYS) & set(VALUES)


def test_the_source_leaves_the_other_files_as_they_were(tmp_path: Path) -> None:
    for name, tokens in (("with", {"general": 500, "needles": 500}), ("without", {"general": 500})):
        generate(WorldConfig(seed=3, tokens=tokens, evaluation_prompts=5, rl_prompts={}), tmp_path / name)
    for name in ("general", "facts", "heldout_math", "prompts_code"):
        one, other = (tmp_path / run / f"{name}.jsonl" for run in ("with", "without"))
        assert one.read_bytes() == other.read_bytes()
