"""Fork servers of each tier, where the tier works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prism.score.sandbox import Pool, Refused
from prism.score.sandbox.probe import what_fails


@pytest.fixture(scope="session", params=["namespaces", "landlock"])
def tier(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pool = Pool(name, 1)
    try:
        (failure,) = pool.run_all([what_fails])
    except Refused as error:
        failure = str(error)
    pool.close()
    if failure:
        pytest.skip(f"no {name} on this machine: {failure}")
    return name


@pytest.fixture(scope="session")
def pool(tier: str) -> Iterator[Pool]:
    pool = Pool(tier, 2)
    yield pool
    pool.close()
