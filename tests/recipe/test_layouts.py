"""Which layouts work, and the nearest that does."""

from __future__ import annotations

from typing import Any

import pytest

from prism.recipe import ClusterConfig, MidtrainConfig, ModelConfig
from prism.recipe.layouts import batch_problems, in_words, model_problems, nearest_layout
from prism.recipe.schema.model import MambaConfig

DENSE = ModelConfig(num_layers=12, hidden_size=512, num_attention_heads=16, num_query_groups=8, ffn_hidden_size=1_536)
HYBRID = ModelConfig(
    num_layers=12,
    hidden_size=512,
    num_attention_heads=16,
    num_query_groups=8,
    ffn_hidden_size=1_536,
    hybrid_pattern="M-M*M-M-M*M-",
    mamba=MambaConfig(inner_size=1_024, head_dim=64, num_groups=4),
)
SINGLE_GROUP = HYBRID.model_copy(update={"mamba": MambaConfig(inner_size=1_024, head_dim=64, num_groups=1)})


def cluster(processes: int, tp: int = 1, pp: int = 1, vp: int = 1, cp: int = 1, **keys: Any) -> ClusterConfig:
    return ClusterConfig(
        processes=processes,
        tensor_parallel=tp,
        pipeline_parallel=pp,
        virtual_pipeline=vp,
        context_parallel=cp,
        **keys,
    )


def stage(length: int = 1_024, micro: int = 1, batch: int = 48, **keys: Any) -> MidtrainConfig:
    return MidtrainConfig(sequence_length=length, micro_batch_size=micro, global_batch_size=batch, **keys)


WORKING = {
    "one process": (DENSE, cluster(1), stage()),
    "all at once": (DENSE, cluster(48, tp=2, pp=2, vp=3, cp=2, sequence_parallel=True), stage()),
    "hybrid": (HYBRID, cluster(16, tp=4, pp=2, cp=2, sequence_parallel=True), stage()),
    "a single Mamba group is shared": (SINGLE_GROUP, cluster(16, tp=8, cp=2), stage()),
    "a Mamba group is shared by context-parallel devices": (HYBRID, cluster(8, tp=2, cp=4), stage()),
    "recomputation of some layers": (DENSE, cluster(1, recompute="full", recompute_layers=3), stage()),
}
REFUSED = {
    "query heads": (DENSE, cluster(32, tp=32), stage(), "tensor_parallel 32 doesn't divide 16 query heads"),
    "key-value heads": (DENSE, cluster(16, tp=16), stage(), "tensor_parallel 16 doesn't divide 8 key-value heads"),
    "Mamba groups": (HYBRID, cluster(8, tp=8), stage(), "tensor_parallel 8 doesn't divide 4 Mamba groups"),
    "Mamba heads over context": (
        HYBRID,
        cluster(24, tp=4, cp=3),
        stage(length=1_026),
        "context_parallel 3 can't share 4 Mamba heads in 1 groups of a tensor-parallel device",
    ),
    "layers": (DENSE, cluster(8, pp=8), stage(), "pipeline_parallel 8 doesn't divide 12 layers"),
    "layers over chunks": (
        DENSE,
        cluster(4, pp=4, vp=2),
        stage(),
        "pipeline_parallel x virtual_pipeline = 8 doesn't divide 12 layers",
    ),
    "chunks without a pipeline": (DENSE, cluster(4, vp=2), stage(), "virtual_pipeline 2 needs pipeline_parallel"),
    "an interleaved hybrid": (HYBRID, cluster(4, pp=2, vp=2), stage(), "hybrid models can't be interleaved"),
    "sequence parallelism on one device": (DENSE, cluster(2, sequence_parallel=True), stage(), "and there is one"),
    "processes": (DENSE, cluster(6, tp=4), stage(), "6 processes aren't a multiple of TP x PP x CP = 4"),
    "chunks of a sequence": (DENSE, cluster(4, cp=4), stage(length=1_020), "2 x context_parallel = 8 chunks"),
    "positions of a device": (
        DENSE,
        cluster(8, tp=4, cp=2, sequence_parallel=True),
        stage(length=1_020),
        "the 510 positions of a device can't be split over tensor_parallel 4",
    ),
    "global batch": (DENSE, cluster(32), stage(), "isn't a multiple of micro_batch_size x data parallel = 32"),
    "rounds of micro batches": (
        DENSE,
        cluster(4, pp=4, vp=3),
        stage(batch=46),
        "46 micro batches a step aren't a multiple of pipeline_parallel 4",
    ),
    "fp8": (
        DENSE,
        cluster(1),
        stage(length=1_020).model_copy(update={"precision": "fp8"}),
        "fp8 needs a multiple of 16 positions",
    ),
    "offload without a distributed optimizer": (
        DENSE,
        cluster(2, offload_optimizer=0.5, distributed_optimizer=False),
        stage(),
        "offload_optimizer needs a distributed_optimizer",
    ),
    "offload of fp32": (
        DENSE,
        cluster(2, offload_optimizer=0.5),
        stage(precision="fp32"),
        "offload_optimizer needs weights narrower than fp32",
    ),
    "layers to recompute": (DENSE, cluster(1, recompute_layers=2), stage(), "recompute_layers needs recompute full"),
}


def problems(model: ModelConfig, layout: ClusterConfig, settings: MidtrainConfig) -> list[str]:
    return [problem.message for problem in (*model_problems(model, layout), *batch_problems(settings, layout))]


@pytest.mark.parametrize("name", WORKING)
def test_layouts_that_work_are_accepted(name: str) -> None:
    model, layout, settings = WORKING[name]
    assert problems(model, layout, settings) == []
    assert nearest_layout(model, layout, [settings]) == layout


@pytest.mark.parametrize("name", REFUSED)
def test_layouts_that_do_not_work_are_refused_and_one_that_works_is_near(name: str) -> None:
    model, layout, settings, expected = REFUSED[name]
    (message,) = problems(model, layout, settings)
    assert expected in message
    near = nearest_layout(model, layout, [settings])
    if near is not None:
        assert near.processes == layout.processes
        assert problems(model, near, settings) == []


@pytest.mark.parametrize(
    ("model", "layout", "settings", "expected"),
    [
        (DENSE, cluster(16, tp=16), stage(), "tensor_parallel 8, 2 replicas"),
        (DENSE, cluster(8, pp=8), stage(), "pipeline_parallel 4, 2 replicas"),
        (HYBRID, cluster(4, pp=2, vp=2), stage(), "pipeline_parallel 2, 2 replicas"),
        (DENSE, cluster(32), stage(), "pipeline_parallel 2, 16 replicas"),
        (DENSE, cluster(8, tp=2, pp=4, vp=2), stage(), "tensor_parallel 2, pipeline_parallel 4, virtual_pipeline 3"),
    ],
)
def test_the_nearest_layout_keeps_what_it_can(
    model: ModelConfig, layout: ClusterConfig, settings: MidtrainConfig, expected: str
) -> None:
    near = nearest_layout(model, layout, [settings])
    assert near is not None
    assert expected in in_words(near)


def test_there_may_be_no_layout() -> None:
    assert nearest_layout(DENSE, cluster(7), [stage(batch=48, length=1_024)]) is None
