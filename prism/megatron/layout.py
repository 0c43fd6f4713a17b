"""The recipe's cluster section as a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.megatron.parallel import Layout

if TYPE_CHECKING:
    from prism.recipe import ClusterConfig


def layout_of(cluster: ClusterConfig) -> Layout:
    return Layout(
        tensor=cluster.tensor_parallel,
        pipeline=cluster.pipeline_parallel,
        virtual=cluster.virtual_pipeline,
        context=cluster.context_parallel,
        sequence_parallel=cluster.sequence_parallel,
        distributed_optimizer=cluster.distributed_optimizer,
        overlap_communication=cluster.overlap_communication,
        offload_optimizer=cluster.offload_optimizer,
        recompute=cluster.recompute,
        recompute_layers=cluster.recompute_layers,
        loss_chunk_tokens=cluster.loss_chunk_tokens,
    )
