"""Which prompt a sequence begins with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.nemo.prompt_index import PromptIndex

TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=6).map(tuple)


def plainly(prompts: Sequence[tuple[int, ...]], sequence: Sequence[int]) -> tuple[int, ...] | None:
    fitting = [prompt for prompt in prompts if tuple(sequence[: len(prompt)]) == prompt]
    return max(fitting, key=len, default=None)


@given(st.lists(TOKENS, min_size=1, max_size=12), st.lists(st.integers(0, 3), max_size=9))
def test_the_longest_prompt_is_found_whatever_the_prompts_have_in_common(
    prompts: list[tuple[int, ...]], sequence: list[int]
) -> None:
    index = PromptIndex((prompt, prompt) for prompt in prompts)
    found, expected = index.find(sequence), plainly(prompts, sequence)
    assert (None if found is None else found.value) == expected
    assert found is None or found.length == len(found.value)
    assert len(index) == len(set(prompts)) and index.repeated == len(prompts) - len(set(prompts))


def test_tokens_are_ordered_as_numbers_not_as_bytes() -> None:
    prompts = [(1, 256), (256, 1), (1, 2, 70_000), (70_000,)]
    index = PromptIndex((prompt, prompt) for prompt in prompts)
    for prompt in prompts:
        found = index.find([*prompt, 3, 3])
        assert found is not None and found.value == prompt


def test_prompts_that_begin_others_are_counted() -> None:
    assert PromptIndex([((1, 2), "a"), ((1, 2, 3), "b"), ((1, 3), "c")]).nested == 1


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="without tokens"):
        PromptIndex([((), "a")])
