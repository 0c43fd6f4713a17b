"""Modules that NeMo imports and a CPU has no use for, where they aren't installed: empty ones stand in for them."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

ABSENT = ("leptonai", "modelopt", "megatron.energon", "nvidia_resiliency_ext")
"""The container brings them; on a CPU they don't import, or nothing of them is used."""


class _Nothing(type):
    """A class whose attributes are such classes too, so that names can be imported and subclassed."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing(name, (), {})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _Nothing(name, (), {"__init__": _refuse})
        setattr(self, name, made)
        return made


def _refuse(self: object, *values: object, **named: object) -> None:
    raise RuntimeError(f"{type(self).__name__} stands in for a package that isn't installed")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = tuple(roots)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if any(name == root or name.startswith(f"{root}.") for root in self._roots):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = _Module(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


def install() -> list[str]:
    """Puts stand-ins where packages are missing; returns which. Call it before NeMo is imported."""
    absent = [name for name in ABSENT if not _installed(name)]
    if absent:
        sys.meta_path.insert(0, _Finder(absent))
    return absent


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
