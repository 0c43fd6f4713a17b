from __future__ import annotations

from collections.abc import Iterator

import pytest

from prism.megatron.parallel import Layout, process_groups


@pytest.fixture
def alone() -> Iterator[Layout]:
    """A world of one process."""
    layout = Layout()
    with process_groups(layout, seed=1):
        yield layout
