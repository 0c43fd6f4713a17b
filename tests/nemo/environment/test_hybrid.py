"""Nemotron-H's weights between this project and the megatron-core of NeMo's environment, at TP 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prism.models.convert import hf_to_megatron
from prism.models.inspect import differences
from prism.models.nemo_checkpoint import megatron_to_nemo, nemo_to_megatron


def test_megatron_core_reads_ours_and_we_read_its(
    there: Callable[..., str], tiny: Callable[[str, Path], None], tmp_path: Path
) -> None:
    hf, ours, start, saved, back = (tmp_path / name for name in ("hf", "ours", "start", "saved", "back"))
    tiny("nemotron_h_8b", hf)
    hf_to_megatron(hf, ours)
    megatron_to_nemo(ours, start)
    there("hybrid", start / "model.json", start, saved, ranks=2)
    nemo_to_megatron(saved, back, hf)
    count, found = differences(ours, back)
    assert count > 30 and found == []
