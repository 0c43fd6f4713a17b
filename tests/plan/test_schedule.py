"""The order of passes is what megatron-core's schedules run."""

from __future__ import annotations

import pytest

from prism.plan.schedule import idle_share, passes


def in_flight(stages: int, chunks: int, rank: int, batches: int) -> int:
    live = most = 0
    for one in passes(stages, chunks, rank, batches):
        live += 1 if one.forward else -1
        most = max(most, live)
    assert live == 0
    return most


@pytest.mark.parametrize("rank", range(4))
def test_1f1b_keeps_as_many_micro_batches_as_stages_follow(rank: int) -> None:
    assert in_flight(4, 1, rank, 64) == 4 - rank
    assert in_flight(4, 1, rank, 2) == min(2, 4 - rank)


def test_interleaving_keeps_its_warm_up_and_one_more() -> None:
    # 2 x (stages - rank - 1) + (chunks - 1) x stages of warm-up
    assert in_flight(4, 5, 0, 64) == 2 * 3 + 4 * 4 + 1
    assert in_flight(4, 5, 3, 64) == 4 * 4 + 1


def test_one_stage_does_one_micro_batch_at_a_time() -> None:
    assert in_flight(1, 1, 0, 16) == 1


def test_every_chunk_runs_as_often_forwards_as_backwards() -> None:
    found = list(passes(2, 3, 0, 8))
    for chunk in range(3):
        forwards = sum(one.forward for one in found if one.chunk == chunk)
        assert forwards == sum(not one.forward for one in found if one.chunk == chunk) > 0


def test_idle_share_falls_with_micro_batches_and_chunks() -> None:
    assert idle_share(8, 1, 32) == pytest.approx(7 / 32)
    assert idle_share(8, 4, 32) == pytest.approx(7 / 128)
    assert idle_share(1, 1, 4) == 0
