"""Which files the page's figures were read from, with their hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prism.report.reading import Artifact
from prism.report.results import Results

_SECTIONS = (
    (r"stages/[^/]+/evaluate/.*\.samples\.jsonl", "samples"),
    (r"stages/[^/]+/evaluate/.*@\d+\.json", "long-context"),
    (r"stages/[^/]+/evaluate/.*\.json", "evaluation"),
    (r"stages/[^/]+/(difficulty|prompts)\.jsonl", "rl"),
    (r"data/blends/.*", "blends"),
    (r"analysis/(weights|relations|trajectory)/.*", "weights"),
    (r"analysis/cka/.*", "cka"),
    (r"analysis/landscape\.json", "landscape"),
    (r"manifest\.json", "time"),
)


@dataclass(frozen=True)
class ShownArtifact:
    """`section` is where its figures are shown."""

    file: Artifact
    section: str


def artifacts(results: Results) -> tuple[ShownArtifact, ...]:
    """Every file that was read, by path."""
    return tuple(
        ShownArtifact(file, _section(file.path, results))
        for file in sorted(results.artifacts, key=lambda one: one.path)
    )


def _section(path: str, results: Results) -> str:
    if path.endswith("/metrics.jsonl"):
        return "rl" if results.stages[path.split("/")[1]].kind == "rl" else "training"
    return next((section for pattern, section in _SECTIONS if re.fullmatch(pattern, path)), "recipe")
