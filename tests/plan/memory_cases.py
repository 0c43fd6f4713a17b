"""Layouts of the miniature whose memory is measured and held to the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VOCABULARY = 96
LENGTH = 128


@dataclass(frozen=True)
class Case:
    """recipe: whose model is trained; cluster: keys of its cluster section."""

    processes: int
    recipe: str = "miniature"
    cluster: dict[str, Any] = field(default_factory=dict)
    micro_batch_size: int = 4
    micro_batches: int = 4
    precision: str = "fp32"

    @property
    def sections(self) -> dict[str, Any]:
        return {"processes": self.processes, "loss_chunk_tokens": None, **self.cluster}


CASES = {
    "one": Case(1),
    "one, micro batch 1": Case(1, micro_batch_size=1),
    "one, selective": Case(1, cluster={"recompute": "selective"}),
    "one, full": Case(1, cluster={"recompute": "full"}),
    "one, full of 2 layers": Case(1, cluster={"recompute": "full", "recompute_layers": 2}),
    "one, loss in chunks": Case(1, cluster={"recompute": "full", "loss_chunk_tokens": 128}),
    "one, bf16": Case(1, precision="bf16"),
    "one, hybrid": Case(1, recipe="miniature_hybrid"),
    "DP2": Case(2),
    "DP2 whole": Case(2, cluster={"distributed_optimizer": False}),
    "TP2": Case(2, cluster={"tensor_parallel": 2}),
    "TP2 SP": Case(2, cluster={"tensor_parallel": 2, "sequence_parallel": True}),
    "CP2": Case(2, cluster={"context_parallel": 2}),
    "PP2": Case(2, cluster={"pipeline_parallel": 2}),
    "PP2 VP2": Case(2, cluster={"pipeline_parallel": 2, "virtual_pipeline": 2}),
    "PP2 full": Case(2, cluster={"pipeline_parallel": 2, "recompute": "full"}),
    "TP2, hybrid": Case(2, recipe="miniature_hybrid", cluster={"tensor_parallel": 2}),
    "TP2 SP PP2": Case(4, cluster={"tensor_parallel": 2, "sequence_parallel": True, "pipeline_parallel": 2}),
    "PP2 DP2 bf16": Case(4, cluster={"pipeline_parallel": 2}, precision="bf16"),
}

QUICK = (
    "one",
    "one, selective",
    "one, full",
    "one, bf16",
    "one, hybrid",
    "DP2",
    "TP2 SP",
    "CP2",
    "PP2 VP2",
    "TP2, hybrid",
)
"""Those that `make test` measures; `make test-full` measures all."""
