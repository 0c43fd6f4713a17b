"""Plain values as JSON text that keeps their types, for both sides of the wall.

None, booleans, strings, lists, floats (NaN and infinities too) and whole numbers of 64 bits are themselves. What JSON
doesn't have is an object with one key: {"t": [...]} tuple, {"d": [[key, value], ...]} dict, {"s": [...]} set,
{"z": [...]} frozenset, {"b": hex} bytes, {"a": hex} bytearray, {"c": [real, imaginary]} complex, {"i": hex} a longer
whole number.
"""

import collections
import json
from collections.abc import Callable, Iterable
from typing import Any

_AS_THEY_ARE = (type(None), bool, str, float)
_SMALL = 1 << 63
_MOST_ALIKE = 16

_DICTS = (dict, collections.Counter, collections.defaultdict, collections.OrderedDict)
"""The library's own kinds of dict pass as the dict that they equal."""


def dumps(value: Any) -> str:
    """The value's text. Raises TypeError unless all of it is of exact built-in types, ValueError if nested too deep."""
    try:
        return json.dumps(_encode(value))
    except RecursionError:
        raise ValueError("the value nests too deeply") from None


def loads(text: str | bytes) -> Any:
    """The value of a text that anybody may have written. Raises ValueError."""
    try:
        return _decode(json.loads(text))
    except (TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a plain value: {error}") from None


def _encode(value: Any) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"i": hex(value)}
    if kind is list:
        return [_encode(part) for part in value]
    if kind in _DICTS:
        return {"d": [[_encode(key), _encode(part)] for key, part in dict.items(value)]}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind in _BYTES:
        return {_BYTES[kind]: value.hex()}
    if kind in _MANY:
        return {_MANY[kind]: [_encode(part) for part in value]}
    raise TypeError(f"a {kind.__name__} isn't a plain value")


_BYTES: dict[type, str] = {bytes: "b", bytearray: "a"}
_MANY: dict[type, str] = {tuple: "t", set: "s", frozenset: "z"}


def _decode(found: Any) -> Any:
    if isinstance(found, list):
        return [_decode(part) for part in found]
    if not isinstance(found, dict):
        return found
    ((tag, content),) = found.items()
    return _TAGS[tag](content)


def _pairs(content: Any) -> dict[Any, Any]:
    pairs = [(_decode(key), _decode(value)) for key, value in content]
    _refuse_alike(key for key, _ in pairs)
    return dict(pairs)


def _members(content: Any) -> list[Any]:
    members = [_decode(part) for part in content]
    _refuse_alike(members)
    return members


def _refuse_alike(keys: Iterable[Any]) -> None:
    """Keys chosen to have one hash would keep the reader busy for the square of their number."""
    hashes = sorted(map(hash, keys))
    if any(first == other for first, other in zip(hashes, hashes[_MOST_ALIKE:], strict=False)):
        raise ValueError("too many keys with the same hash")


_TAGS: dict[str, Callable[[Any], Any]] = {
    "t": lambda content: tuple(_decode(part) for part in content),
    "d": _pairs,
    "s": lambda content: set(_members(content)),
    "z": lambda content: frozenset(_members(content)),
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
    "c": lambda content: complex(*content),
    "i": lambda content: int(content, 16),
}
