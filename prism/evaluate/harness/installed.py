"""Whether lm-evaluation-harness, and what a task of it needs, are there."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from prism.errors import UsageError

VERSION = "0.4.13"
"""What results were held to; the harness's scores change with its releases."""

_REMEDY = "pip install 'prism-megatron[eval]', or `pip install -e '.[eval]'` in a checkout"


def require_harness() -> None:
    """Raises UsageError when lm-evaluation-harness isn't installed, or another release of it."""
    for package, wanted in (("lm-eval", VERSION), ("transformers", None)):
        found = _version(package)
        if found is None:
            raise UsageError(f"harness tasks need {package}", place="this environment", remedy=_REMEDY)
        if wanted not in (None, found):
            raise UsageError(f"{package} {found} isn't {wanted}", place="this environment", remedy=_REMEDY)


def require_packages(wanted: Sequence[str], task: str) -> None:
    """Raises UsageError when a package, as `name` or `name==version`, isn't there: before hours of generation."""
    for requirement in wanted:
        name, _, version = requirement.partition("==")
        found = _version(name)
        if found is None or (version and found != version):
            raise UsageError(
                f"task {task} needs {requirement}" + (f", here is {found}" if found else ""),
                place="this environment",
                remedy=f"pip install {requirement}",
            )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
