"""Verdicts on programs in a tier of the test's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from prism.errors import PrismError
from prism.score import code, sandbox

TIERS = ("namespaces", "landlock")


@contextmanager
def contained_by(tier: str) -> Iterator[str]:
    """Programs run in `tier`, and none is remembered; skips the test where the machine hasn't got it."""
    code._remembered().clear()
    sandbox.configure(tier)
    try:
        sandbox.describe()
    except PrismError as error:
        pytest.skip(str(error))
    yield tier
    sandbox.configure()
