"""Documents of known Jaccard similarity, and the deduplication of some in datatrove's local executor."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from datatrove.data import Document, DocumentsPipeline
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from data_prep.dedup import DropDuplicates, find_duplicates
from data_prep.dedup.signatures import SHINGLE_WORDS, Kind

SYLLABLES = "ba de fi go ku la me ni po ru sa te vi wo ya ze".split()
WORDS = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]


def jaccard(one: str, other: str) -> float:
    """Of the sets of runs of five words, for texts of plain words."""
    first, second = (
        {tuple(words[place : place + SHINGLE_WORDS]) for place in range(len(words) - SHINGLE_WORDS + 1)}
        for words in (one.split(), other.split())
    )
    return len(first & second) / len(first | second)


def made_up(stream: random.Random, words: int) -> str:
    return " ".join(stream.choices(WORDS, k=words))


def edited_to(text: str, similarity: float, stream: random.Random) -> str:
    """Replaces words until the similarity is between `similarity` and 0.02 more."""
    words = text.split()
    places = list(range(len(words)))
    stream.shuffle(places)
    for place in places:
        before, words[place] = words[place], stream.choice(WORDS)
        now = jaccard(text, " ".join(words))
        if now < similarity:
            words[place] = before  # too far: a place beside an edited one changes fewer runs
        elif now < similarity + 0.02:
            break
    return " ".join(words)


class Texts(PipelineStep):  # type: ignore[misc]
    """Documents of a unit, named unit/position."""

    type = "texts"
    name = "texts"

    def __init__(self, units: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self._units = units

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        for position, text in enumerate(self._units[rank]):
            yield Document(text=text, id=f"{rank}/{position}")


class Keep(PipelineStep):  # type: ignore[misc]
    """Writes the ids that come through."""

    type = "ids"
    name = "ids"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{rank:05d}").write_text("".join(f"{document.id}\n" for document in data))
        yield from ()


def kept(kind: Kind, units: Sequence[Sequence[str]], folder: Path, workers: int = 1) -> set[str]:
    """Ids of the documents that deduplication keeps."""

    def run(name: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
        LocalPipelineExecutor(list(pipeline), tasks, min(workers, tasks), str(folder / name), start_method="fork").run()

    texts = Texts(units)
    find_duplicates(kind, [texts], folder / "drops", len(units), run)
    run("kept", [texts, DropDuplicates(folder / "drops"), Keep(folder / "ids")], len(units))
    return {line for file in (folder / "ids").iterdir() for line in file.read_text().split()}
