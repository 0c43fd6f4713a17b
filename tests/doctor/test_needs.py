"""What a use or a recipe needs."""

from __future__ import annotations

import pytest

from prism.doctor import Row, Verdict, held_to, needs_of
from prism.errors import UsageError
from prism.recipe import load_recipe


def test_a_large_model_needs_a_gpu_and_room_and_the_miniature_neither() -> None:
    large = needs_of("laptop", recipe=load_recipe("granite_4_h_micro/math_code_science"))
    assert {"gpu", "nccl", "sandbox"} <= large.rows
    assert large.checkpoint_bytes > 60 * 10**9
    small = needs_of("laptop", recipe=load_recipe("miniature"))
    assert "gpu" not in small.rows
    assert small.checkpoint_bytes < 10**9


@pytest.mark.parametrize(
    ("override", "row"),
    [
        ("kernels.scan=mamba_ssm", "mamba_ssm"),
        ("kernels.conv=causal_conv1d", "causal_conv1d"),
        ("cluster.slurm.partition=gpu", "slurm"),
        ("cluster.slurm.container=image.sqsh", "pyxis"),
        ("midtrain.precision=fp8", "transformer_engine"),
    ],
)
def test_a_key_of_the_recipe_needs_its_row(override: str, row: str) -> None:
    assert row not in needs_of("laptop", recipe=load_recipe("miniature_hybrid")).rows
    assert row in needs_of("laptop", recipe=load_recipe("miniature_hybrid", [override])).rows


def test_what_is_asked_for_and_unknown_is_named_with_the_nearest() -> None:
    rows = [Row("cluster", "slurm", "", Verdict.UNNEEDED)]
    with pytest.raises(UsageError, match=r"no check is named 'slrum'.*use slurm"):
        held_to(rows, ["slrum"])
