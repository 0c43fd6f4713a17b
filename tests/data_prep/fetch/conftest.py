"""A hub on 127.0.0.1 for each test, and an environment that knows no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.data_prep.fetch.mini_hub import MiniHub, mini_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[MiniHub]:
    with mini_hub() as served:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served
