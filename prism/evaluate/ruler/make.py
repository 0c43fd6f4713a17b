"""A task's prompts, one by its number."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import read_json, read_jsonl
from prism.errors import RecipeError
from prism.evaluate.ruler.common_words import common_words
from prism.evaluate.ruler.draft import Draft, RulerPrompt
from prism.evaluate.ruler.fill import largest_fit
from prism.evaluate.ruler.frequent_words import frequent_words
from prism.evaluate.ruler.haystack import sentences
from prism.evaluate.ruler.needles import needles
from prism.evaluate.ruler.questions import Library, questions, read_library
from prism.evaluate.ruler.settings import CommonWordsTest, FrequentWordsTest, NeedlesTest, QuestionsTest, VariablesTest
from prism.evaluate.ruler.variables import variables

if TYPE_CHECKING:
    from prism.evaluate.task import RulerTask


@dataclass(frozen=True)
class Material:
    """What prompts are made of beside the settings: sentences of the essay, or the library of questions."""

    sentences: tuple[str, ...] = ()
    library: Library | None = None


def needs_material(task: RulerTask) -> bool:
    """Whether the task reads its `path`."""
    test = task.test
    return isinstance(test, QuestionsTest) or (
        isinstance(test, NeedlesTest | VariablesTest) and test.haystack == "essay"
    )


def read_rows(path: Path) -> list[Mapping[str, Any]]:
    """JSON lines as they are; a .json file's object or list; any other file as one `text`.

    Raises:
        data_prep.errors.DataError: the file is damaged.
    """
    if path.suffix == ".jsonl":
        return list(read_jsonl(path))
    if path.suffix == ".json":
        content = read_json(path)
        return content if isinstance(content, list) else [content]
    return [{"text": path.read_text(encoding="utf-8", errors="replace")}]


def read_material(task: RulerTask, rows: Sequence[Mapping[str, Any]], place: str) -> Material:
    """`rows` hold a `text` each, or the questions.

    Raises:
        BadInput: they don't.
    """
    if isinstance(task.test, QuestionsTest):
        return Material(library=read_library(rows, place))
    return Material(sentences=tuple(sentences([str(row["text"]) for row in rows])))


def make_prompt(task: RulerTask, index: int, material: Material, size: Callable[[str], int]) -> RulerPrompt:
    """Prompt `index` of the task: as long as can be with room for the answer, never longer.

    The same task, index, material and tokenizer give the same prompt, whatever was made before.

    Args:
        size: tokens of a prompt.

    Raises:
        RecipeError: the length doesn't hold even the smallest prompt.
        BadInput: words, text or passages don't suffice.
    """
    draft = _draft(task, index, random.Random(f"{task.seed}/{task.base_name}/{task.length}/{index}"), material)
    room = task.length - task.max_new_tokens
    units = largest_fit(lambda units: size(draft.write(units)), room, draft.least, draft.most)
    if units is None:
        need = size(draft.write(draft.least)) + task.max_new_tokens
        raise RecipeError(
            f"{task.name} needs {need:,} tokens for its smallest prompt {index} and the answer, its length is "
            f"{task.length:,}",
            place="evaluate.tasks",
            remedy=f"name it {task.base_name}@{need} or longer",
        )
    text = draft.write(units)
    return RulerPrompt(index, text, size(text), draft.expected, draft.depths)


def _draft(task: RulerTask, index: int, generator: random.Random, material: Material) -> Draft:
    test = task.test
    if isinstance(test, NeedlesTest):
        return needles(test, index, generator, material.sentences)
    if isinstance(test, VariablesTest):
        return variables(test, index, generator, material.sentences)
    if isinstance(test, CommonWordsTest):
        return common_words(test, task.length, generator)
    if isinstance(test, FrequentWordsTest):
        return frequent_words(test, task.length, generator)
    return questions(test, index, generator, material.library or Library((), ()))
