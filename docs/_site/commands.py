"""The page of every command, from the Typer application."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from prism.cli import app

PAGE = "reference/commands.md"
_COMMON = ("help", "install_completion", "show_completion")


def pages() -> dict[str, str]:
    """Content by name of file."""
    return {PAGE: "\n".join(["# Commands", "", *_intro(), *_command("prism", typer.main.get_command(app))])}


def _intro() -> list[str]:
    return [
        "Generated from the commands themselves. Every error is one line that names thing, place and remedy.",
        "With `--debug` the traceback comes along. What a command leaves with: [exit codes](exit_codes.md).",
        "",
    ]


def _command(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if name != "prism":
        yield f"{'##' if name.count(' ') == 1 else '###'} `{name}` {{ #{name.replace(' ', '-')} }}"
        yield ""
        yield from _help(command)
    if not children:
        yield from _parameters(command)
    for child in children:
        yield from _command(f"{name} {child}", children[child])


def _help(command: Any) -> Iterator[str]:
    text = inspect.cleandoc(command.help or "")
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("Example: `"):
            yield from ["```", paragraph.removeprefix("Example: `").removesuffix("`"), "```", ""]
        else:
            yield from [paragraph, ""]


def _parameters(command: Any) -> Iterator[str]:
    found = [parameter for parameter in command.params if parameter.name not in _COMMON and not parameter.hidden]
    if not found:
        return
    yield from ["| | default | |", "|---|---|---|"]
    for parameter in found:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            names = f"`{parameter.metavar or parameter.name.upper()}`"
        default = "required" if parameter.required else _default(parameter.default)
        yield f"| {names} | {default} | {(parameter.help or '').replace('|', chr(92) + '|')} |"
    yield ""


def _default(value: Any) -> str:
    if value is None or value == () or callable(value):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
