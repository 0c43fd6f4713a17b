"""Errors that the troubleshooting page quotes are in the source, word for word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "troubleshooting.md").read_text()
QUOTES = [
    line for block in re.findall(r"^```error\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Every text of the source; what an f-string fills in stands as `…`."""
    found = []
    for room in ("prism", "data_prep"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.append(
                        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quoted_error_is_in_the_source(quote: str, texts: list[str]) -> None:
    pattern = re.compile(".*".join(re.escape(part) for part in quote.split("…")), re.DOTALL)
    assert any(pattern.search(text) for text in texts)


def test_the_page_has_what_users_report_most() -> None:
    entries = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    assert len(entries) >= 15
    for word in (
        "mamba-ssm",
        "causal-conv1d",
        "Apex",
        "NCCL",
        "stale index cache",
        "Out of memory at the logits",
        "wrong resume",
    ):
        assert any(word in entry for entry in entries), word


def test_every_entry_says_what_to_do_or_why_it_cannot_happen() -> None:
    for entry in PAGE.split("\n### ")[1:]:
        assert "**Remedy**" in entry or "**Here**" in entry or "**Tell**" in entry, entry.splitlines()[0]
