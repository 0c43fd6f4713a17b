"""Which columns of a file a source reads: the others stay on the disk."""

from __future__ import annotations

from collections.abc import Sequence

from data_prep.schema import SourceConfig


def needed_columns(config: SourceConfig, present: Sequence[str]) -> list[str] | None:
    """Columns of a file that the source names, in the file's order.

    None (all) when none of them is there, or a join may ask for any.
    """
    joined: list[str] = []
    if config.join is not None:
        if config.join.kind != "question_lookup":
            return None
        joined = ["dataset", "split", "index"]
    named = {"text": [config.text], "chat": [config.messages]}.get(config.format)
    named = named or [config.question, config.answer, *([config.reasoning] if config.reasoning else [])]
    named += joined
    if config.prompts is not None:
        named += config.prompts.columns
    for rule in config.keep:
        named += [rule.column] if isinstance(rule.column, str) else list(rule.column)
    if config.sample is not None:
        named += [config.sample.by, *([config.sample.key] if config.sample.key else [])]
    return [name for name in present if any(_is_part_of(name, path) for path in named)] or None


def _is_part_of(column: str, path: str) -> bool:
    """Whether the path begins with the column; flat columns may have dots in their names."""
    return path == column or path.startswith(f"{column}.")
