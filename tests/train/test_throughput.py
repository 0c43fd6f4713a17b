"""FLOPs of a token against those that torch counts; what a row's `timing` says by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prism.megatron.build import build_model
from prism.megatron.parallel import Layout, process_groups
from prism.recipe import MidtrainConfig, ModelConfig, load_recipe
from prism.train.flops import pairs_seen, token_flops
from prism.train.throughput import Throughput

VOCABULARY, LENGTH = 104, 256


@pytest.fixture(scope="module")
def alone() -> Iterator[Layout]:
    layout = Layout()
    with process_groups(layout, seed=1):
        yield layout


def counted(model: ModelConfig, layout: Layout) -> tuple[dict[str, float], dict[str, float]]:
    """What torch counts for a token, forward and backward, by operation. It doesn't know attention on a CPU."""
    module = build_model(model, VOCABULARY, layout, "fp32")
    tokens = torch.zeros(1, LENGTH, dtype=torch.long)
    passes = []
    for backward in (False, True):
        with FlopCounterMode(display=False) as counter:
            if not backward:
                output = module(tokens, torch.arange(LENGTH)[None], None)
            else:
                output.sum().backward()
        passes.append({str(name): flops / LENGTH for name, flops in counter.get_flop_counts()["Global"].items()})
    return passes[0], passes[1]


@pytest.mark.parametrize("name", ["miniature", "miniature_hybrid"])
def test_flops_of_matrices_and_scan_are_those_that_torch_counts(name: str, alone: Layout) -> None:
    model = load_recipe(name).model
    forward, backward = counted(model, alone)
    flops = token_flops(model, VOCABULARY, LENGTH)
    assert flops.attention_matrices + flops.other_matrices == forward["aten.mm"]
    assert backward["aten.mm"] == 2 * forward["aten.mm"]
    if model.mamba is not None:
        layers = (model.hybrid_pattern or "").count("M")
        # The kernel computes whole chunks; half of what lies inside one is above its diagonal.
        own, groups = model.mamba.inner_size, model.mamba.num_groups * model.mamba.state_dim
        above = (own + groups) * model.mamba.chunk_size
        # The first chunk reads no state, and the last makes none.
        states = 4 * own * model.mamba.state_dim * model.mamba.chunk_size // LENGTH
        assert flops.scan + layers * (above - states) == forward["aten.bmm"]


def test_a_published_model_needs_six_flops_a_parameter_and_half_of_the_square_of_attention() -> None:
    model = load_recipe("models/llama_3_1_8b").model
    assert model.vocab_size is not None
    norms, embedding = 65 * 4_096, model.vocab_size * 4_096
    matrices = 8_030_261_248 - norms - embedding
    scores = 12 * 32 * 32 * 128 * 8_192 / 2
    flops = token_flops(model, model.vocab_size, 8_192)
    assert flops.training(pairs_seen(8_192, None)) == 6 * matrices + scores


def test_frozen_matrices_need_no_gradient() -> None:
    flops = token_flops(load_recipe("miniature").model, VOCABULARY, LENGTH)
    assert flops.training(128.0) - flops.training(128.0, attention_only=True) == flops.other_matrices


@pytest.mark.parametrize(("length", "window"), [(64, None), (64, 8), (8, 64)])
def test_pairs_are_what_a_mask_lets_through(length: int, window: int | None) -> None:
    mask = torch.ones(length, length).tril()
    if window is not None:
        mask = mask.triu(1 - window)
    # Up to the half position by which a mask counts a token's own.
    assert pairs_seen(length, window) == pytest.approx(float(mask.sum()) / length, abs=0.5)


class Clock:
    """Shows what the test set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def timed(devices: int = 1, **changes: object) -> tuple[Throughput, Clock]:
    config = MidtrainConfig(sequence_length=LENGTH, global_batch_size=4, **changes)  # type: ignore[arg-type]
    clock = Clock()
    return Throughput(load_recipe("miniature").model, VOCABULARY, config, devices, clock), clock


def test_a_lap_tells_speed_wait_and_the_way_that_is_left() -> None:
    throughput, clock = timed(devices=4)
    seen = []
    for step, seconds in enumerate((10.0, 1.0, 3.0), start=1):
        throughput.waited_for_data(seconds / 8)
        throughput.waited_for_data(seconds / 8)
        clock.now += seconds
        seen.append(throughput.lap(step, 10))
    last = seen[-1]
    assert (last["seconds"], last["tokens_per_second"]) == (3.0, pytest.approx(4 * LENGTH / 3, abs=0.1))
    assert last["tokens_per_second_per_device"] == pytest.approx(LENGTH / 3, abs=0.1)
    assert last["data_wait"] == 0.25
    assert last["mfu"] is None
    # The first step warms up: it counts only while it is the only one.
    assert [lap["eta_seconds"] for lap in seen] == [90.0, 8.0, 14.0]
    assert (last["memory_gib"] or 0.0) > 0.05


def test_one_long_save_hardly_moves_the_time_to_the_end() -> None:
    throughput, clock = timed()
    for step in range(1, 502):
        clock.now += 60.0 if step == 501 else 1.0
        lap = throughput.lap(step, 10_501)
    assert lap["eta_seconds"] == pytest.approx(10_000 * (499 + 60) / 500, rel=1e-3)


def test_mfu_is_what_the_model_needs_over_what_the_devices_could_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prism.train.throughput.device_peak", lambda: 1e9)
    flops = token_flops(load_recipe("miniature").model, VOCABULARY, LENGTH)
    throughput, clock = timed(devices=2)
    clock.now += 4.0
    assert throughput.lap(1, 10)["mfu"] == pytest.approx(flops.training(LENGTH / 2) * LENGTH / 2e9, abs=1e-4)
    # Documents that don't see each other: two halves have half of the pairs.
    throughput.packed([[LENGTH // 2, LENGTH], [LENGTH // 2, LENGTH]])
    clock.now += 4.0
    assert throughput.lap(2, 10)["mfu"] == pytest.approx(flops.training(LENGTH / 4) * LENGTH / 2e9, abs=1e-4)


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("Some other device", None),
    ],
)
def test_a_device_is_known_by_its_name(device: str, peak: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from prism.train.throughput import device_peak

    assert device_peak() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: device)
    assert device_peak() == peak
