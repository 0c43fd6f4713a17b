"""What counts as a question in a document, and the index on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.decontaminate import EvaluationQuestion, QuestionIndex, Search
from data_prep.errors import DataError

LONG = "A train leaves the old station at noon with 1,250 travellers and reaches the coast after 3.50 hours of rain"


def index(*texts: str, ngram: int = 13) -> QuestionIndex:
    return QuestionIndex.build([EvaluationQuestion("set", str(at), text) for at, text in enumerate(texts)], ngram)


def kind(questions: QuestionIndex, text: str) -> str | None:
    match = Search(questions).match(text)
    return match.kind if match is not None else None


@pytest.mark.parametrize("ngram", [9, 13])
def test_a_run_of_n_words_is_enough_and_one_word_less_is_not(ngram: int) -> None:
    words = LONG.split()
    questions = index(LONG, ngram=ngram)
    for first in range(len(words) - ngram + 1):
        assert kind(questions, " ".join(["so", *words[first : first + ngram], "then"])) == "ngram"
        assert kind(questions, " ".join(["so", *words[first : first + ngram - 1], "then"])) is None
    assert kind(questions, f"so: {LONG}!") == "exact"


def test_a_match_says_which_question_and_the_words_as_the_document_has_them() -> None:
    match = Search(index("Nobody asks about this one at all in here", LONG)).match(
        "Well, THE  old station at noon with 1250\ntravellers and reaches the coast after all"
    )
    assert match is not None
    assert (match.set, match.question, match.kind) == ("set", "1", "ngram")
    assert match.words == "the old station at noon with 1250 travellers and reaches the coast after"


def test_a_whole_question_is_named_before_an_ngram_that_comes_first() -> None:
    other = "Which of these two rivers is the longer one if both of them were to be laid out as a straight line"
    match = Search(index(LONG, other)).match(f"{' '.join(LONG.split()[:15])} and. {other}")
    assert match is not None
    assert (match.question, match.kind) == ("1", "exact")


@pytest.mark.parametrize(
    "question, text, found",
    [
        ("which of these cells has no nucleus inside", "tell which of these cells has no nucleus inside now", True),
        ("Simplify $\\sqrt{242}$.", "How?\nSIMPLIFY √242\nThus", True),
        ("Simplify $\\sqrt{242}$.", "we now simplify √242 and go on", True),
        ("Simplify $\\sqrt{24}$.", "we now simplify √24 and go on", False),
        ("What is 2+2?", "and what is 2 + 2 in base three", False),
        ("What is 2+2?", "User: What is 2+2?\n4", True),
        ("What is 2+2?", "He asked. What is 2 + 2? Four.", True),
        ("What is 2+2?", '{"question": "What is 2+2", "answer": 4}', True),
        ("What is 2+2?", "<td>What is 2+2</td><td>4</td>", True),
        ("What is 2+2?", "What is 2+2?", True),
        ("Neural networks", "Neural networks\n", False),
    ],
)
def test_short_questions_must_stand_alone_and_two_words_are_none(question: str, text: str, found: bool) -> None:
    assert kind(index(question), text) == ("exact" if found else None)


def test_questions_too_short_to_look_for_are_named_in_the_index(tmp_path: Path) -> None:
    questions = index(LONG, "Neural networks", "...")
    assert [question.id for question in questions.left_out] == ["1", "2"]
    assert '"set 1"' in questions.save(tmp_path).read_text()


@pytest.mark.parametrize("count, found", [(2, "ngram"), (3, None)])
def test_a_phrase_of_three_questions_doesnt_count_but_the_questions_do(count: int, found: str | None) -> None:
    phrase = "express your answer as a common fraction in simplest form with no spaces between the digits"
    asked = [f"How many {thing} are in box {thing}? {phrase}" for thing in ("red", "green", "blue")[:count]]
    questions = index(*asked)
    assert kind(questions, f"What is left? {phrase}") == found
    assert [kind(questions, f"see {text} there") for text in asked] == ["exact"] * count


def test_a_question_of_nothing_but_shared_phrases_is_found_whole() -> None:
    words = LONG.split()
    questions = index(LONG, f"{LONG} today", f"{LONG} again", f"{LONG} and snow")
    assert kind(questions, f"so {LONG} it is") == "exact"
    assert kind(questions, f"so {' '.join(words[1:])} it is") is None


def test_rows_of_numbers_dont_count() -> None:
    numbers = " ".join(map(str, range(1, 40)))
    questions = index(f"Which of the numbers {numbers} is the largest?")
    assert kind(questions, f"count: {numbers}") is None
    assert kind(questions, f"Which of the numbers {numbers} is the largest?") == "exact"


def test_what_all_questions_of_a_set_end_with_is_no_part_of_them() -> None:
    asked = [f"Compute the whole product of {number} times {number} here." for number in range(100, 112)]
    questions = index(*(f"Question: {text}\nThink aloud, then give one number in a box." for text in asked))
    assert [kind(questions, f"now {text} That is all") for text in asked] == ["exact"] * 12


def test_words_that_all_questions_share_inside_a_sentence_are_theirs() -> None:
    questions = index(*(f"What is {number} + 4?" for number in range(20)))
    assert questions.left_out == ()
    assert kind(questions, "Tom: What is 7 + 4?\nAnn: 11") == "exact"
    assert kind(questions, "It was 7 + 4.") is None


def test_runs_of_equal_hash_but_other_words_are_told_apart() -> None:
    questions = index(LONG)
    words = questions.words.copy()
    words[5:8] += np.uint64(2)  # the index's hashes stay: every hit on these words is now a collision
    assert kind(questions, LONG) == "exact"
    assert kind(replace(questions, words=words), LONG) is None


def test_a_question_of_two_sets_is_indexed_once() -> None:
    questions = QuestionIndex.build([EvaluationQuestion("one", "0", LONG), EvaluationQuestion("two", "0", LONG)])
    assert [question.set for question in questions.questions] == ["one"]


def test_a_saved_index_finds_the_same(tmp_path: Path) -> None:
    questions = index(LONG, "Simplify $\\sqrt{242}$.", "What is 2+2?")
    path = questions.save(tmp_path)
    loaded = QuestionIndex.load(path)
    assert questions.save(tmp_path) == path
    assert loaded.fingerprint == questions.fingerprint
    for text in (LONG, " ".join(LONG.split()[3:]), "simplify √242", "What is 2+2?", "nothing"):
        assert Search(loaded).match(text) == Search(questions).match(text)


def test_the_fingerprint_goes_by_content_set_and_ngram_only() -> None:
    changed = [index(LONG), index(LONG, ngram=8), index(LONG.replace("1,250", "1,251")), index(LONG, "Another one")]
    changed.append(QuestionIndex.build([EvaluationQuestion("other", "0", LONG)]))
    assert len({questions.fingerprint for questions in changed}) == len(changed)
    assert index(LONG.upper().replace("1,250", "1250")).fingerprint == index(LONG).fingerprint


@pytest.mark.parametrize("damage", ["cut", "gone", "others"])
def test_a_damaged_index_is_refused_with_a_remedy(tmp_path: Path, damage: str) -> None:
    path = index(LONG).save(tmp_path)
    arrays = path.with_suffix(".npz")
    if damage == "cut":
        arrays.write_bytes(arrays.read_bytes()[:200])
    elif damage == "gone":
        arrays.unlink()
    else:
        arrays.write_bytes(index(LONG + " again").save(tmp_path / "other").with_suffix(".npz").read_bytes())
    with pytest.raises(DataError, match="delete it and run again"):
        QuestionIndex.load(path)


@pytest.mark.parametrize("text", ["", " ", "...", "\ud800", "日本語" * 100, "9" * 10_000, "\\" * 50, "1,000,", ".5"])
def test_odd_documents_are_kept(text: str) -> None:
    assert kind(index(LONG, "What is 2+2?"), text) is None
