from __future__ import annotations

from collections.abc import Iterator

import pytest

from prism.megatron.parallel import Layout, process_groups
from prism.recipe import ModelConfig, load_recipe


@pytest.fixture
def alone() -> Iterator[Layout]:
    """A world of one process."""
    layout = Layout()
    with process_groups(layout, seed=1):
        yield layout


@pytest.fixture(params=["miniature", "miniature_hybrid"])
def model(request: pytest.FixtureRequest) -> ModelConfig:
    """The miniature's dense and hybrid architectures."""
    return load_recipe(request.param).model
