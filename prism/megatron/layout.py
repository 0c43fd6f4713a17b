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
        context=cluster.context_parallel,
        sequence_parallel=cluster.sequence_parallel,
    )
