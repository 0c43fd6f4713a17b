"""Which items are measured, and that they score as evaluation scores them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest

from data_prep import api as data
from data_prep.files import read_jsonl, write_jsonl
from prism.errors import BadInput, RecipeError
from prism.evaluate.choice import run_choice
from prism.evaluate.task import ChoiceTask
from prism.generate.load import load_language_model
from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.trainee import Trainee
from prism.prompts import PromptContract
from prism.recipe import Recipe, RecipeErrors, load_recipe
from prism.score.likelihood import document_bits
from prism.train.held_out import Passage
from prism.train.retention.measures import ChoiceItems, TextItems, read_measures
from prism.train.retention.meter import Meter
from tests.train.conftest import SmallRun

M = "midtrain.retention.measures"
GENERAL = (f"{M}.general.kind=text", f"{M}.general.path=world/heldout_general.jsonl", f"{M}.general.given_tokens=0")
FACTS = (f"{M}.facts.kind=choice", f"{M}.facts.path=world/facts.jsonl", f"{M}.facts.score=accuracy")


@pytest.fixture(scope="module")
def prepared(small_run: Callable[..., SmallRun], alone: None) -> SmallRun:
    return small_run("miniature", "data.sources.general.holdout=0.1", "data.sources.arithmetic.holdout=0.2")


def recipe_of(run: SmallRun, *overrides: str) -> Recipe:
    return load_recipe(run.recipe, [*run.overrides, "midtrain.retention=null", *overrides])


def vocabulary_of(recipe: Recipe) -> data.Vocabulary:
    return data.load_tokenizer(recipe.data_directory / "tokenizer.json")


def measures_of(run: SmallRun, *overrides: str) -> dict[str, Any]:
    recipe = recipe_of(run, "midtrain.retention.every_steps=10", *overrides)
    return read_measures(recipe, "mid", vocabulary_of(recipe))


def test_they_score_as_evaluation_scores_them(prepared: SmallRun) -> None:
    recipe = recipe_of(prepared, *GENERAL, *FACTS, f"{M}.general.documents=100")
    vocabulary = vocabulary_of(recipe)
    measures = read_measures(recipe, "mid", vocabulary)
    trainee = Trainee(recipe.model, vocabulary.vocab_size, layout_of(recipe.cluster), recipe.midtrain.optimizer)
    trainee.initialise(1)
    folder = prepared.directory / "random"
    trainee.save(folder, 1, {})
    found = Meter(measures, 256, 64, layout_of(recipe.cluster)).scores(trainee)
    model = load_language_model(recipe, checkpoint.require_latest(folder), vocabulary.vocab_size)

    documents = [list(one.tokens[1:]) for one in measures["general"].passages]
    costs = document_bits(model, documents, vocabulary.end_of_document_id)
    assert found["general"] == pytest.approx([cost.bits * math.log(2) for cost in costs], rel=1e-5)
    size = sum(len(vocabulary.decode(tokens).encode()) for tokens in documents)
    assert measures["general"].value(found["general"]) == pytest.approx(sum(c.bits for c in costs) / size, rel=1e-5)

    rows = list(read_jsonl(recipe.data_directory / "world" / "facts.jsonl"))
    assert len(rows) == len(found["facts"]), "the measure takes all of them"
    task = ChoiceTask(name="facts", version=1, description="", domain="general", path="", kind="choice")
    metrics, _ = run_choice(task, rows, model, PromptContract(vocabulary))
    assert found["facts"].mean() == pytest.approx(metrics["accuracy"]["value"])
    assert 0.1 < found["facts"].mean() < 0.5


def test_without_measures_it_reads_general_sources_of_the_stage_before(prepared: SmallRun) -> None:
    measures = measures_of(prepared, f"{M}.general.kind=text", f"{M}.general.given_tokens=1")
    held_out = set(data.held_out_texts(prepared.directory / "data", "general"))
    vocabulary = vocabulary_of(recipe_of(prepared))
    read = {vocabulary.decode(one.tokens[1:]) for one in measures["general"].passages}
    assert list(measures) == ["general"] and read <= held_out
    assert measures["general"].unit == "%" and measures["general"].tolerance == 2.0


def test_each_domain_has_a_figure_of_its_own(prepared: SmallRun) -> None:
    keys = (f"{M}.by.kind=text", f"{M}.by.sources=[general,arithmetic]", f"{M}.by.given_tokens=1")
    assert list(measures_of(prepared, *keys)) == ["by"]
    assert list(measures_of(prepared, *keys, f"{M}.by.each=domain")) == ["by/general", "by/math"]
    assert list(measures_of(prepared, *keys, f"{M}.by.each=source")) == ["by/general", "by/arithmetic"]


def test_only_the_first_tokens_are_read_and_the_given_ones_not_predicted(prepared: SmallRun) -> None:
    keys = (*GENERAL, f"{M}.general.given_tokens=2", f"{M}.general.document_tokens=5", f"{M}.general.documents=80")
    passages = measures_of(prepared, *keys)["general"].passages
    end = vocabulary_of(recipe_of(prepared)).end_of_document_id
    assert len(passages) == 80
    assert {one.tokens[0] for one in passages} == {end}
    assert {(len(one.tokens), one.counted) for one in passages} <= {(5, 2), (6, 3)}


def test_the_same_items_are_drawn_every_time(prepared: SmallRun) -> None:
    keys = (*GENERAL, f"{M}.general.documents=60")
    first, again = measures_of(prepared, *keys)["general"], measures_of(prepared, *keys)["general"]
    assert first.passages == again.passages
    assert first.passages != measures_of(prepared, *GENERAL, f"{M}.general.documents=61")["general"].passages[:60]


def test_too_few_items_are_refused(prepared: SmallRun) -> None:
    path = prepared.directory / "few.jsonl"
    write_jsonl(path, islice(read_jsonl(prepared.directory / "data" / "world" / "heldout_general.jsonl"), 20))
    with pytest.raises(RecipeError, match="general has 20 items, the test needs at least 50"):
        measures_of(prepared, f"{M}.general.kind=text", f"{M}.general.path={path}", f"{M}.general.given_tokens=0")


@pytest.mark.parametrize("row", [{"context": "anna has"}, {"context": "anna has", "choices": ["a"], "answer": 3}])
def test_a_row_that_is_no_question_is_named(prepared: SmallRun, row: dict[str, Any]) -> None:
    path = prepared.directory / "broken.jsonl"
    write_jsonl(path, [row])
    with pytest.raises(BadInput, match=r"broken.jsonl: .*(without choices|none of 1 options)"):
        measures_of(prepared, f"{M}.facts.kind=choice", f"{M}.facts.path={path}")


def test_a_gate_without_general_text_is_refused_when_the_recipe_is_read() -> None:
    with pytest.raises(RecipeErrors, match="no source of domain general that the stage it starts from saw holds"):
        load_recipe("miniature", ["midtrain.retention=null", "midtrain.retention.every_steps=10"])


def test_probability_and_accuracy_of_the_right_option() -> None:
    nats = np.array([1.0, 2.0, 0.5, 3.0, 3.0])
    passages = [Passage([0, 1], 1, number) for number in range(5)]
    soft, hard = (ChoiceItems(passages, [2, 3], [0, 2], accuracy, 2.0, 0.0) for accuracy in (False, True))
    shares = np.exp(-nats[2:]) / np.exp(-nats[2:]).sum()
    assert soft.scores(nats) == pytest.approx([math.exp(-1) / (math.exp(-1) + math.exp(-2)), shares[2]])
    assert hard.scores(nats).tolist() == [1.0, 0.0]
    lost, weights = hard.lost(np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    assert lost.sum() / weights.sum() == 50.0


def test_text_loses_what_its_bits_rise_by() -> None:
    items = TextItems([Passage([0, 1], 1, 0), Passage([0, 1], 1, 1)], 10.0, 2.0, 0.0)
    before, now = np.array([4.0, 6.0]), np.array([5.0, 6.0])
    lost, weights = items.lost(before, now)
    assert lost.sum() / weights.sum() == pytest.approx(10.0)
    assert items.value(now) == pytest.approx(11.0 / math.log(2) / 10)
