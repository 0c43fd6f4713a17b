"""What is found depends on the documents and their order, not on how they are cut into units."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from datatrove.pipeline.base import PipelineStep
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.dedup import DropDuplicates, find_duplicates
from data_prep.dedup.signatures import Kind
from data_prep.executor import Executor
from tests.data_prep.dedup.planted import Keep, Texts, edited_to, jaccard, made_up

SMALL = st.lists(st.text(alphabet="ab .\n\t", max_size=4), max_size=25)
CUTS = st.lists(st.integers(0, 25), max_size=6)


def cut(texts: Sequence[str], cuts: Sequence[int]) -> list[Sequence[str]]:
    """Units that make up `texts`; some may be empty."""
    ends = [0, *sorted(min(place, len(texts)) for place in cuts), len(texts)]
    return [texts[begin:end] for begin, end in pairwise(ends)]


def in_order(name: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
    for rank in range(tasks):
        stream = None
        for step in pipeline:
            stream = step.run(stream, rank, tasks)
        list(stream or ())


def kept_texts(kind: Kind, units: Sequence[Sequence[str]], folder: Path) -> list[str]:
    find_duplicates(kind, [Texts(units)], folder, len(units), in_order)
    return [
        document.text
        for unit in range(len(units))
        for document in DropDuplicates(folder).run(Texts(units).run(None, unit), unit, len(units))
    ]


def without_repeats(texts: Sequence[str]) -> list[str]:
    """The naive way; documents of white space only are left alone."""
    seen, kept = set[str](), list[str]()
    for text in texts:
        if not text.strip() or text.strip() not in seen:
            kept.append(text)
        seen.add(text.strip())
    return kept


@settings(max_examples=40, deadline=None)
@given(texts=SMALL, cuts=CUTS)
def test_exact_keeps_what_the_naive_way_keeps_however_the_documents_are_cut(texts: list[str], cuts: list[int]) -> None:
    with TemporaryDirectory() as folder:
        assert kept_texts("exact", cut(texts, cuts), Path(folder)) == without_repeats(texts)


@pytest.mark.parametrize("seed", range(3))
def test_minhash_keeps_the_same_however_the_documents_are_cut(tmp_path: Path, seed: int) -> None:
    stream = random.Random(seed)
    texts = [made_up(stream, stream.randrange(30, 90)) for _ in range(40)]
    texts += [edited_to(stream.choice(texts), stream.choice([0.6, 0.7, 0.75, 0.8, 0.9]), stream) for _ in range(120)]
    stream.shuffle(texts)
    whole = kept_texts("minhash", [texts], tmp_path / "whole")

    for count in (1, 2, 7, 30):
        units = cut(texts, [stream.randrange(len(texts)) for _ in range(count)])
        assert kept_texts("minhash", units, tmp_path / str(count)) == whole
    assert 40 <= len(whole) < len(texts)


def test_a_document_is_dropped_for_an_earlier_one_that_is_like_it(tmp_path: Path) -> None:
    stream = random.Random(9)
    texts = [made_up(stream, 100) for _ in range(60)]
    texts += [edited_to(stream.choice(texts), stream.choice([0.4, 0.6, 0.9, 0.95]), stream) for _ in range(240)]
    stream.shuffle(texts)

    kept = set(kept_texts("minhash", [texts[:150], texts[150:]], tmp_path))

    for place, text in enumerate(texts):
        nearest = max((jaccard(text, other) for other in texts[:place]), default=0.0)
        if text not in kept:
            assert nearest > 0.6
        else:
            assert nearest < 0.9


@pytest.mark.parametrize("kind", ["exact", "minhash"])
def test_two_workers_of_the_executor_find_what_one_finds(tmp_path: Path, kind: Kind) -> None:
    stream = random.Random(4)
    texts = [made_up(stream, 40) for _ in range(60)]
    texts += [text if stream.random() < 0.5 else edited_to(text, 0.9, stream) for text in texts]
    units: list[Sequence[str]] = [*cut(texts, [20, 20, 70, 90]), []]
    ids = {}
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        executor = Executor(workers=workers)

        def run(name: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
            executor.run(name, pipeline, tasks, folder / name)  # noqa: B023

        find_duplicates(kind, [Texts(units)], folder / "drops", len(units), run)
        run("keep", [Texts(units), DropDuplicates(folder / "drops"), Keep(folder / "ids")], len(units))
        ids[workers] = [file.read_text() for file in sorted((folder / "ids").iterdir())]

    assert ids[1] == ids[2]
    assert "".join(ids[1]).count("\n") < len(texts)


@pytest.mark.parametrize("kind", ["exact", "minhash"])
def test_units_without_documents_are_fine(tmp_path: Path, kind: Kind) -> None:
    assert kept_texts(kind, [[], []], tmp_path / "empty") == []
    assert kept_texts(kind, [[], ["", " \n"], []], tmp_path / "blank") == ["", " \n"]
