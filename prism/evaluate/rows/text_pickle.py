"""Text out of a pickle, without unpickling: nothing in it can be run."""

from __future__ import annotations

import pickletools

from prism.errors import BadInput

_TEXT = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_AROUND = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})
"""What pickles of plain text hold beside it, in any protocol: they name no class and call nothing."""


def read_text_pickle(content: bytes) -> str:
    """The text that was pickled: exactly one, and nothing else.

    Raises:
        BadInput: the content is another value's, calls something, or isn't a pickle; opcodes are named.
    """
    found: list[str] = []
    end = -1
    try:
        for opcode, argument, position in pickletools.genops(content):
            if opcode.name in _TEXT:
                found.append(str(argument))
            elif opcode.name not in _AROUND:
                raise _refused(f"holds the opcode {opcode.name}")
            if len(found) > 1:
                raise _refused("holds more than one text")
            end = position or 0
    except (ValueError, UnicodeDecodeError) as error:
        raise _refused(f"is damaged ({type(error).__name__})") from None
    if not found:
        raise _refused("holds no text")
    if end != len(content) - 1:
        raise _refused("goes on after its end")
    return found[0]


def _refused(why: str) -> BadInput:
    return BadInput(f"a pickle that isn't one of plain text: it {why}", remedy="bring the set's file again")
