"""Options of the executors, as they are written on a command line."""

from __future__ import annotations

from collections.abc import Mapping

from data_prep.errors import UsageError

Value = str | int | float | bool


def read_options(
    given: Mapping[str, str], known: Mapping[str, Value], executor: str
) -> tuple[dict[str, Value], dict[str, str]]:
    """Those of `known`, of the type of their default there, over the defaults; and the others as they are.

    Raises:
        UsageError: a value isn't of its type.
    """
    options, others = dict(known), dict[str, str]()
    for key, text in given.items():
        name = key.replace("-", "_")
        if name in known:
            options[name] = _read(name, text, known[name], executor)
        else:
            others[key] = text
    return options, others


def _read(name: str, text: str, default: Value, executor: str) -> Value:
    kind = type(default)
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise UsageError(
            f"{name} is {wanted}, not {text!r}", place=f"--executor {executor}", remedy="correct the option"
        ) from None
