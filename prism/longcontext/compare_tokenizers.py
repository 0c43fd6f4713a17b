"""Whether two tokenizer.json files give the rows of a token table the same meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import read_json

_SHOWN = 4


@dataclass(frozen=True)
class TokenizerDifference:
    """`conflict` is a row that belongs to different tokens, so that mixing it makes no sense; `notes` do no harm."""

    conflict: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Tokens:
    """Ordinary and added tokens by id, and everything else that decides how text is split."""

    ordinary: Mapping[int, str]
    added: Mapping[int, str]
    rules: Any


def tokenizer_difference(base: Path, trained: Path) -> TokenizerDifference:
    """Compares two files.

    An ordinary token must have one id in both. Added tokens may differ: a fine-tuned model often gives spare rows a
    name.
    """
    if base.read_bytes() == trained.read_bytes():
        return TokenizerDifference(None, ())
    old, new = _read(base), _read(trained)
    conflict = next(
        (
            f"id {number} is {token!r} in base, {new.ordinary[number]!r} in trained"
            for number, token in old.ordinary.items()
            if number in new.ordinary and new.ordinary[number] != token
        ),
        None,
    )
    if conflict is None:
        ids = {token: number for number, token in new.ordinary.items()}
        conflict = next(
            (
                f"{token!r} is {number} in base, {ids[token]} in trained"
                for number, token in old.ordinary.items()
                if ids.get(token, number) != number
            ),
            None,
        )
    notes = []
    if old.added != new.added:
        differ = [repr(token) for number, token in sorted(new.added.items()) if old.added.get(number) != token]
        more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
        what = ", ".join(differ[:_SHOWN]) + more if differ else "fewer in trained"
        notes.append(f"the tokenizers' added tokens differ ({what}); the result has trained's")
    if len(old.ordinary) != len(new.ordinary):
        notes.append(f"the tokenizers have {len(old.ordinary):,} and {len(new.ordinary):,} ordinary tokens")
    if old.rules != new.rules:
        notes.append("the tokenizers split text by different rules; the result has trained's")
    return TokenizerDifference(conflict, tuple(notes))


def _read(path: Path) -> _Tokens:
    tokenizer = read_json(path)
    added = {token["id"]: token["content"] for token in tokenizer.get("added_tokens") or []}
    model = dict(tokenizer.get("model") or {})
    vocabulary = model.pop("vocab", None) or {}
    if isinstance(vocabulary, dict):
        ordinary = {number: token for token, number in vocabulary.items()}
    else:  # unigram models list pairs of token and score
        ordinary = {number: token for number, (token, *_) in enumerate(vocabulary)}
    rules = [model, *(tokenizer.get(key) for key in ("normalizer", "pre_tokenizer"))]
    return _Tokens({number: token for number, token in ordinary.items() if number not in added}, added, rules)
