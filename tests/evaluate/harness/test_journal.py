"""Answers outlive a kill, and only under their own key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prism.evaluate.harness.journal import Journal


class Doubler:
    """Fails once it has answered `most`."""

    def __init__(self, most: int) -> None:
        self.most, self.asked = most, 0

    def __call__(self, items: Sequence[int]) -> list[int]:
        if self.asked + len(items) > self.most:
            raise RuntimeError("killed")
        self.asked += len(items)
        return [2 * item for item in items]


def ask(path: Path, key: str, doubler: Doubler) -> list[int]:
    journal = Journal(path, key, at_once=10)
    first = journal.answered(range(25), doubler, "numbers")
    return first + journal.answered(range(25, 50), doubler, "numbers")


EXPECTED = [2 * item for item in range(50)]


def test_an_interrupted_task_asks_only_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    for most in (12, 20):
        try:
            ask(path, "key", Doubler(most))
        except RuntimeError:
            continue
    rest = Doubler(100)
    assert ask(path, "key", rest) == EXPECTED and rest.asked == 25


def test_a_line_that_was_not_finished_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    ask(path, "key", Doubler(50))
    path.write_text(path.read_text()[:-4])
    rest = Doubler(100)
    assert ask(path, "key", rest) == EXPECTED and rest.asked == 5


def test_answers_of_another_checkpoint_are_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    ask(path, "key", Doubler(50))
    anew = Doubler(50)
    assert ask(path, "another", anew) == EXPECTED and anew.asked == 50


def test_the_answers_go_when_the_results_are_written(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    ask(path, "key", Doubler(50))
    Journal(path, "key").end()
    assert not path.exists()
