"""Questions over given passages, and how such data sets are read."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prism.errors import BadInput
from prism.evaluate.ruler.draft import Draft
from prism.evaluate.ruler.haystack import hide, spread_depth
from prism.evaluate.ruler.settings import QuestionsTest

_ANYWHERE = "\n\n"


@dataclass(frozen=True)
class Question:
    """A question, right answers of which one is enough, and the passages that hold it; `topic` names their article."""

    text: str
    answers: tuple[str, ...]
    passages: tuple[str, ...]
    topic: str = ""


@dataclass(frozen=True)
class Library:
    """Questions, and every passage once with its article, in order."""

    questions: tuple[Question, ...]
    passages: tuple[tuple[str, str], ...]


def read_library(rows: Iterable[Mapping[str, Any]], place: str) -> Library:
    """JSON lines, or the files of SQuAD (1.1 and 2.0) and HotpotQA.

    A line holds `question`, `answers` (a list, or one string), `passages` (a list, or one string) and perhaps `topic`
    (passages of one topic stand together first) and `distractors` (passages without the answer).

    Raises:
        BadInput: a row has another form, or there is none.
    """
    questions: list[Question] = []
    passages: dict[str, str] = {}
    for row in rows:
        try:
            for question, others in (
                _squad(row) if "data" in row else [_hotpot(row) if "context" in row else _line(row)]
            ):
                if question.text:
                    questions.append(question)
                for passage in (*question.passages, *others):
                    passages.setdefault(passage, question.topic)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadInput(
                "a row isn't a question with its passages",
                place=place,
                remedy="give JSON lines with question, answers and passages, or SQuAD's or HotpotQA's own file",
            ) from None
    if not questions:
        raise BadInput("no question", place=place, remedy="give JSON lines with question, answers and passages")
    return Library(tuple(questions), tuple(sorted(passages.items())))


def questions(test: QuestionsTest, index: int, generator: random.Random, library: Library) -> Draft:
    """Passages with the answer between others that lack it; those of the same article come first.

    When there are no more, they come again. The question is number `index`, or the first again after the last.

    Raises:
        BadInput: every other passage holds the answer.
    """
    question = library.questions[index % len(library.questions)]
    others = [(topic, passage) for passage, topic in library.passages if _distracts(passage, question)]
    near = [passage for topic, passage in others if topic and topic == question.topic]
    far = [passage for topic, passage in others if not topic or topic != question.topic]
    if not near and not far:
        raise BadInput(
            f"no passage to distract from the answer of {question.text!r}", place="RULER task", remedy="add passages"
        )
    generator.shuffle(near)
    generator.shuffle(far)
    pool, seed = [*near, *far], generator.getrandbits(64)
    depths = [spread_depth(index), *(generator.random() for _ in question.passages[1:])]

    def write(units: int) -> str:
        hay = [pool[number % len(pool)] for number in range(units)]
        random.Random(seed).shuffle(hay)
        shown = hide(hay, question.passages, depths)
        context = _ANYWHERE.join(
            test.document.format(number=number, passage=passage) for number, passage in enumerate(shown, 1)
        )
        return test.prompt.format(context=context, query=question.text)

    return Draft(question.answers, tuple(depths), write)


def _distracts(passage: str, question: Question) -> bool:
    lower = passage.lower()
    return passage not in question.passages and not any(answer.lower() in lower for answer in question.answers)


def _line(row: Mapping[str, Any]) -> tuple[Question, Sequence[str]]:
    one = Question(str(row["question"]), _texts(row["answers"]), _texts(row["passages"]), str(row.get("topic", "")))
    return one, _texts(row.get("distractors", ()))


def _squad(row: Mapping[str, Any]) -> Iterable[tuple[Question, Sequence[str]]]:
    for article in row["data"]:
        for paragraph in article["paragraphs"]:
            topic, passage = str(article.get("title", "")), str(paragraph["context"])
            yield Question("", (), (passage,), topic), ()
            for asked in paragraph["qas"]:
                if not asked.get("is_impossible", False):
                    answers = tuple(dict.fromkeys(str(answer["text"]) for answer in asked["answers"]))
                    yield Question(str(asked["question"]), answers, (passage,), topic), ()


def _hotpot(row: Mapping[str, Any]) -> tuple[Question, Sequence[str]]:
    needed = {title for title, _ in row["supporting_facts"]}
    shown = [(title, f"{title}\n{''.join(lines)}") for title, lines in row["context"]]
    gold = tuple(passage for title, passage in shown if title in needed)
    return Question(str(row["question"]), (str(row["answer"]),), gold), [
        passage for title, passage in shown if title not in needed
    ]


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(str(one) for one in value)
    if isinstance(value, str) and not value:
        raise ValueError("empty")
    return texts
