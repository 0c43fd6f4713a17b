"""A server whose responses are known, and a tokenizer that gives any text back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evaluate.scripted import Script, scripted_server, tokenizer_folder


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    with scripted_server() as served:
        yield served


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokenizer_folder(tmp_path_factory.mktemp("tokenizer"))
