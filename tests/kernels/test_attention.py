"""Attention in blocks against the whole score matrix."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from prism.kernels.attention import attention, attention_from, attention_of_one, windowed


def inputs(length: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    query = torch.randn(2, 4, length, 8, generator=generator, dtype=torch.float64)
    key, value = (torch.randn(2, 2, length, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    return query, key, value


def window_mask(length: int, window: int) -> Tensor:
    places = torch.arange(length)
    return places[None, :] > places[:, None] - window


def by_matrix(query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    key, value = (part.repeat_interleave(2, 1) for part in (key, value))
    scores = (query @ key.mT / 8**0.5).masked_fill(~seen, float("-inf"))
    return scores.softmax(-1) @ value


def causal(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


def visible(length: int, ends: list[int], window: int | None) -> Tensor:
    number = torch.bucketize(torch.arange(length), torch.tensor(ends), right=True)
    seen = causal(length) & (number[:, None] == number[None, :])
    return seen if window is None else seen & window_mask(length, window)


@pytest.mark.parametrize("window", [1, 5, 128, 129, 299, 300, 400])
def test_a_window_counts_the_current_position(window: int) -> None:
    query, key, value = inputs(300)
    seen = causal(300) & window_mask(300, window)
    assert seen.sum(1).max() == min(window, 300)
    found = attention(query, key, value, causal=True, window=window)
    torch.testing.assert_close(found, by_matrix(query, key, value, seen))


@pytest.mark.parametrize("window", [None, 7])
@pytest.mark.parametrize("ends", [[40], [1, 40], [13, 13, 39, 40]])
def test_documents_see_only_themselves(ends: list[int], window: int | None) -> None:
    query, key, value = inputs(40)
    found = attention(query, key, value, causal=True, window=window, documents=ends)
    torch.testing.assert_close(found, by_matrix(query, key, value, visible(40, ends, window)))


def test_gradients_of_a_window_equal_the_matrix_s() -> None:
    parts = tuple(part.requires_grad_() for part in inputs(200))
    seen = causal(200) & window_mask(200, 30)
    ours = torch.autograd.grad(attention(*parts, causal=True, window=30).square().sum(), parts)
    theirs = torch.autograd.grad(by_matrix(*parts, seen).square().sum(), parts)
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("window", [None, 150])
@pytest.mark.parametrize("first", [0, 1, 1_500])
def test_later_queries_see_the_keys_before_them(first: int, window: int | None) -> None:
    query, key, value = inputs(3_000)
    seen = causal(3_000) if window is None else causal(3_000) & window_mask(3_000, window)
    rows = slice(first, first + 1_200)
    found = attention_from(query[:, :, rows], key, value, first, window=window)
    torch.testing.assert_close(found, by_matrix(query, key, value, seen)[:, :, rows])


DOCUMENTS = {
    "one": [1_400],
    "short and long": [1, 2, 300, 1_290, 1_400],
    "an empty one": [700, 700, 1_400],
    "a single last token": [900, 1_399, 1_400],
    "at the blocks' edges": [128, 256, 1_024, 1_152, 1_400],
}


@pytest.mark.parametrize("ends", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("window", [None, 1, 7, 130, 1_400])
def test_queries_that_start_anywhere_see_their_own_document_only(ends: list[int], window: int | None) -> None:
    query, key, value = inputs(1_400)
    expected = by_matrix(query, key, value, visible(1_400, ends, window))
    for first, end in ((0, 1_400), (350, 700), (1_050, 1_400), (1_399, 1_400), (299, 1_301)):
        found = attention_from(query[:, :, first:end], key, value, first, window=window, documents=ends)
        torch.testing.assert_close(found, expected[:, :, first:end], atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("window", [None, 20])
def test_gradients_of_documents_cut_by_a_chunk_equal_the_matrix_s(window: int | None) -> None:
    """Two chunks of the same sequence, as two ranks have them: the keys' gradients add up."""
    ends = [30, 31, 120, 200]
    query, key, value = (part.requires_grad_() for part in inputs(200))
    chunks = [
        attention_from(query[:, :, first : first + 100], key, value, first, window=window, documents=ends)
        for first in (0, 100)
    ]
    whole = by_matrix(query, key, value, visible(200, ends, window))
    ours = torch.autograd.grad(torch.cat(chunks, 2).square().sum(), (query, key, value))
    theirs = torch.autograd.grad(whole.square().sum(), (query, key, value))
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected)


def test_a_window_on_rows_of_their_own_positions_is_the_matrix_s_row() -> None:
    positions = torch.tensor([0, 3, 9])
    bias = torch.where(torch.arange(10)[None, :] <= positions[:, None], 0.0, float("-inf"))[:, None, :]
    seen = (causal(10) & window_mask(10, 4))[positions]
    found = windowed(bias, positions, 10, 4, torch.float32)[:, 0]
    assert torch.equal(found == 0, seen)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_query_a_sequence_is_the_last_row_of_the_matrix(dtype: torch.dtype, with_bias: bool) -> None:
    query, key, value = (part.to(dtype) for part in inputs(30))
    bias = None
    seen = torch.ones(30, 30, dtype=torch.bool)
    if with_bias:
        bias = torch.where(torch.arange(30) < 17, 0.0, float("-inf")).to(dtype).expand(4, 1, 30)
        seen = torch.arange(30)[None, :] < 17
    found = attention_of_one(query[:, :, -1].view(2, 2, 2, 8), key, value, bias, scale=0.3)
    expected = by_matrix(query * 0.3 * 8**0.5, key, value, seen.expand(30, 30))[:, :, -1]
    torch.testing.assert_close(found.view(2, 4, 8), expected, rtol=1e-5, atol=1e-6)
