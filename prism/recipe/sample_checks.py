"""Whether a training stage's blends, packing and masks go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prism.recipe.findings import Finding, nearest
from prism.recipe.schema.training import MidtrainConfig


def samples_findings(config: MidtrainConfig, blends: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with the samples that a stage asks for."""
    if config.blend not in blends:
        yield Finding((*path, "blend"), f"unknown blend {config.blend}", nearest(config.blend, blends))
    for step, blend in config.blend_changes.items():
        place = (*path, "blend_changes", str(step))
        if blend not in blends:
            yield Finding(place, f"unknown blend {blend}", nearest(blend, blends))
        if not 0 < step < config.steps:
            yield Finding(place, f"the stage has no step after {step}", f"choose 1 to {config.steps - 1}")
    if config.documents_apart and config.micro_batch_size != 1:
        yield Finding(
            (*path, "micro_batch_size"),
            f"documents that don't see each other need micro_batch_size 1, it is {config.micro_batch_size}",
            "set it to 1, or concatenate documents with attention across them",
        )
    if config.packing == "best_fit" and config.attention_across_documents:
        yield Finding(
            (*path, "attention_across_documents"),
            "packed documents never see each other",
            "leave the key out, or set packing to concatenate",
        )
    if config.pack_overlap_tokens >= config.sequence_length:
        yield Finding(
            (*path, "pack_overlap_tokens"),
            f"an overlap of {config.pack_overlap_tokens} tokens leaves nothing of {config.sequence_length}",
            "choose less than sequence_length",
        )
    if config.packing == "concatenate" and (config.pack_overlap_tokens or config.min_document_tokens):
        yield Finding(
            (*path, "packing"),
            "pack_overlap_tokens and min_document_tokens are for packing best_fit",
            "set packing to best_fit, or the two keys to 0 (a source has min_tokens of its own)",
        )
