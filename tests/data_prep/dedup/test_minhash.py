"""MinHash on documents of known similarity."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from data_prep.dedup.minhash_kernel import near_earlier
from data_prep.dedup.signatures import LEAST_AGREEMENT, MinHash
from tests.data_prep.dedup.planted import edited_to, jaccard, kept, made_up


def templates(stream: random.Random, count: int) -> list[str]:
    """Documents that share a form of 60 words in a row and have 40 of their own: pairs of similarity 0.4 or so."""
    form = made_up(stream, 60)
    return [f"{form} {made_up(stream, 40)}" for _ in range(count)]


def test_near_duplicates_of_similarity_0_8_are_dropped_and_unrelated_ones_kept(tmp_path: Path) -> None:
    stream = random.Random(1)
    originals = [made_up(stream, stream.randrange(80, 300)) for _ in range(1_500)]
    copies = [edited_to(text, 0.8, stream) for text in originals]
    similar = [jaccard(*pair) for pair in zip(originals, copies, strict=True)]
    assert min(similar) >= 0.8 and max(similar) < 0.85
    forms = [templates(stream, 50) for _ in range(50)]
    assert 0.3 < jaccard(forms[0][0], forms[0][1]) < 0.5
    unrelated = [made_up(stream, stream.randrange(20, 200)) for _ in range(2_500)] + [
        text for form in forms for text in form
    ]
    stream.shuffle(unrelated)
    units = [originals[:750], unrelated[:2_500], originals[750:], [], copies, unrelated[2_500:]]

    ids = kept("minhash", units, tmp_path)

    found = sum(f"4/{position}" not in ids for position in range(len(copies)))
    others = [f"{unit}/{position}" for unit in (0, 1, 2, 5) for position in range(len(units[unit]))]
    lost = sum(name not in ids for name in others)
    print(f"recall {found / len(copies):.4f} of {len(copies)} pairs at Jaccard 0.80-0.85, mean {np.mean(similar):.3f}")
    print(f"false drops {lost / len(others):.5f} of {len(others)}")
    assert found / len(copies) >= 0.95
    assert lost / len(others) <= 0.005


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.8, 0.9])
def test_sketches_agree_as_often_as_shingles_are_shared(similarity: float) -> None:
    stream = random.Random(2)
    agreed, expected = [], []
    for _ in range(60):
        text = made_up(stream, 400)
        other = edited_to(text, similarity, stream)
        first, second = MinHash().sign(text), MinHash().sign(other)
        assert first is not None and second is not None
        agreed.append(float(np.mean(first[1] == second[1])))
        true = jaccard(text, other)
        expected.append(true + (1 - true) / 256)
    assert np.mean(agreed) == pytest.approx(np.mean(expected), abs=0.015)  # 3.5 standard errors at the most


def test_the_first_of_a_cluster_is_kept_whatever_the_workers(tmp_path: Path) -> None:
    stream = random.Random(3)
    text, other = made_up(stream, 200), made_up(stream, 200)
    near = [edited_to(text, 0.9, stream) for _ in range(6)]
    units = [[other], [made_up(stream, 50), text, near[0]], [near[1], near[2], other], [], near[3:]]

    one = kept("minhash", units, tmp_path / "one", workers=1)

    assert one == {"0/0", "1/0", "1/1"}
    assert kept("minhash", units, tmp_path / "two", workers=2) == one
    drops = [(tmp_path / name / "drops" / "drops.npy").read_bytes() for name in ("one", "two")]
    assert drops[0] == drops[1]


def test_numbers_tell_documents_apart(tmp_path: Path) -> None:
    """Problems made from one form differ in their numbers only; as datatrove reads them they are all the same."""
    stream = random.Random(4)
    form = made_up(stream, 60).split()
    for place in range(3, 60, 4):
        form[place] = "{}"
    units = [[" ".join(form).format(*stream.choices(range(10_000), k=15)) for _ in range(20)]]

    assert len(kept("minhash", units, tmp_path)) == 20


def test_short_and_empty_documents(tmp_path: Path) -> None:
    units = [["", "two words", "...", "Two Words!", "other words", "", "日本", "日本", "\ud800 lone"], []]

    assert kept("minhash", units, tmp_path) == {f"0/{position}" for position in (0, 1, 2, 4, 5, 6, 8)}


def test_documents_are_compared_with_the_first_that_agree_with_none() -> None:
    sketches = np.zeros((5, 200), np.uint8)
    sketches[1] = 1
    sketches[3, :LEAST_AGREEMENT] = 1  # as row 1 in just enough places
    sketches[4, : LEAST_AGREEMENT - 1] = 1
    sketches[4, LEAST_AGREEMENT - 1 :] = 2

    near = near_earlier(np.array([0, 5]), sketches, LEAST_AGREEMENT, 64)

    assert near.tolist() == [False, False, True, True, False]
    assert near_earlier(np.array([0, 2, 5]), sketches, LEAST_AGREEMENT, 64).tolist() == [False] * 5
    assert near_earlier(np.array([0, 5]), sketches, LEAST_AGREEMENT, 1).tolist() == [False, False, True, False, False]
