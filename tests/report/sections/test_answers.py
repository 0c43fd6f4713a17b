"""The first screen's answers, on figures that lead to each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.report import load_results
from prism.report.claims import ClaimResult
from prism.report.sections.answers import Answer, answers
from tests.report import made_up_run

PIPELINE = {
    "base": {"stage": "pretrain"},
    "mid": {"stage": "midtrain", "from": "base"},
    "rl": {"stage": "rl", "from": "mid"},
}


def asked(run: Path, pipeline: dict[str, object] = PIPELINE, claims: tuple[ClaimResult, ...] = ()) -> list[Answer]:
    made_up_run.write_recipe(run, {"pipeline": pipeline})
    return list(answers(load_results(run), claims))


def write(run: Path, facts: tuple[float, float, float], rates: tuple[float, float, float]) -> None:
    for stage, fact, rate in zip(PIPELINE, facts, rates, strict=True):
        made_up_run.write_choice(run, stage, fact)
        made_up_run.write_generation(run, stage, "math", rate, greedy=rate)


@pytest.mark.parametrize(
    ("facts", "rates", "words"),
    [
        ((0.98, 0.97, 0.97), (0.00, 0.30, 0.50), ["yes", "yes", "it helped", "repeat, then scale"]),
        ((0.98, 0.60, 0.60), (0.00, 0.30, 0.50), ["no", "yes", "it helped", "win it back"]),
        ((0.98, 0.98, 0.98), (0.30, 0.31, 0.31), ["yes", "not clearly", "no clear gain", "mid-train longer"]),
        ((0.98, 0.98, 0.98), (0.50, 0.20, 0.20), ["yes", "it fell", "no clear gain", "mid-train longer"]),
        ((0.98, 0.98, 0.98), (0.00, 0.40, 0.41), ["yes", "yes", "no clear gain", "look at RL"]),
        ((0.98, 0.98, 0.98), (0.00, 0.60, 0.20), ["yes", "yes", "it hurt", "look at RL"]),
    ],
)
def test_each_answer_follows_from_the_figures(
    tmp_path: Path, facts: tuple[float, float, float], rates: tuple[float, float, float], words: list[str]
) -> None:
    write(tmp_path, facts, rates)
    assert [answer.word for answer in asked(tmp_path)] == words


def test_without_results_nothing_is_claimed(tmp_path: Path) -> None:
    found = asked(tmp_path)
    assert [answer.word for answer in found] == ["not measured", "not measured", "not measured", "measure"]
    assert {answer.verdict for answer in found} == {"open"}


def test_bits_per_byte_that_rise_are_a_loss(tmp_path: Path) -> None:
    for stage, bits in (("base", 1.20), ("mid", 1.35)):
        made_up_run.write_bits(tmp_path, stage, bits, "web_bpb", "general")
        made_up_run.write_generation(tmp_path, stage, "math", 0.3)
    kept = asked(tmp_path)[0]
    assert (kept.verdict, kept.word) == ("no", "no")
    assert "web_bpb 1.200 to 1.350 bits a byte" in kept.text


def test_one_task_of_two_lost_is_a_loss_in_part(tmp_path: Path) -> None:
    write(tmp_path, (0.98, 0.60, 0.60), (0.0, 0.3, 0.5))
    for stage in PIPELINE:
        made_up_run.write_choice(tmp_path, stage, 0.5, task="other")
    assert asked(tmp_path)[0].word == "in part"


def test_rl_is_told_by_weights_and_representations_too(tmp_path: Path) -> None:
    write(tmp_path, (0.98, 0.98, 0.98), (0.0, 0.3, 0.5))
    made_up_run.write_weights(tmp_path, "base", "mid", 0.2, 9.0)
    made_up_run.write_weights(tmp_path, "mid", "rl", 0.0005, 95.0)
    made_up_run.write_cka(tmp_path, "mid", "rl", 0.999)
    text = asked(tmp_path)[2].text
    assert "5.0% of the weights changed by more than 1%" in text
    assert "400 times less far than by mid-training" in text
    assert "representations hardly changed (least CKA 0.999)" in text


def test_before_rl_the_next_step_is_rl_where_there_is_something_to_learn_from(tmp_path: Path) -> None:
    pipeline = {name: node for name, node in PIPELINE.items() if name != "rl"}
    for stage, rate in (("base", 0.0), ("mid", 0.3)):
        made_up_run.write_choice(tmp_path, stage, 0.98)
        made_up_run.write_generation(tmp_path, stage, "math", rate)
    found = asked(tmp_path, pipeline)
    assert (found[2].word, found[3].word) == ("no RL yet", "RL")
