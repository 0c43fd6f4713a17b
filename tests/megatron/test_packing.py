"""Which positions a context-parallel rank holds where documents are cut one by one."""

from __future__ import annotations

import pytest
import torch

from prism.megatron.packing import positions_by_document

ENDS = (8, 24, 32)
"""Documents of 8, 16 and 8 tokens: over two ranks, chunks of 2, 4 and 2."""


def test_the_first_rank_holds_first_and_last_chunk_of_every_document() -> None:
    first, second, third = [0, 1, 6, 7], [8, 9, 10, 11, 20, 21, 22, 23], [24, 25, 30, 31]
    assert positions_by_document(ENDS, 2, 0).tolist() == [*first, *second, *third]


def test_the_second_rank_holds_the_two_chunks_between() -> None:
    first, second, third = [2, 3, 4, 5], [12, 13, 14, 15, 16, 17, 18, 19], [26, 27, 28, 29]
    assert positions_by_document(ENDS, 2, 1).tolist() == [*first, *second, *third]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_ranks_hold_every_position_once(size: int) -> None:
    held = torch.cat([positions_by_document(ENDS, size, rank) for rank in range(size)])
    assert held.sort().values.tolist() == list(range(32))


def test_every_rank_sees_as_much_of_every_document() -> None:
    """Causal attention: a position sees those before it in its document."""
    begins = torch.tensor([0] * 8 + [8] * 16 + [24] * 8)
    seen = [
        int((held - begins[held] + 1).sum()) for rank in range(2) for held in [positions_by_document(ENDS, 2, rank)]
    ]
    assert seen[0] == seen[1]


def test_a_document_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="10 tokens can't be cut into 4 chunks"):
        positions_by_document((10,), 2, 0)
