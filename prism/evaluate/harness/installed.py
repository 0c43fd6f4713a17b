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
    """Raises UsageError when a package, as `name` or `name==version`, isn't there: before hours of generation.

    `nltk_data:tokenizers/punkt_tab` is data of nltk.
    """
    for requirement in wanted:
        _, _, resource = requirement.partition("nltk_data:")
        if resource:
            _require_nltk_data(resource, task)
            continue
        name, _, version = requirement.partition("==")
        found = _version(name)
        if found is None or (version and found != version):
            raise UsageError(
                f"task {task} needs {requirement}" + (f", here is {found}" if found else ""),
                place="this environment",
                remedy=f"pip install {requirement}",
            )


def _require_nltk_data(resource: str, task: str) -> None:
    import nltk

    try:
        nltk.data.find(resource)
    except LookupError:
        name = resource.rpartition("/")[2]
        raise UsageError(
            f"task {task} needs nltk's {name}",
            place=", ".join(nltk.data.path[:1]),
            remedy=f"python -m nltk.downloader {name}, or set NLTK_DATA to a folder that has it",
        ) from None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
