"""What is decayed, what is trained, which steps are taken, and what a checkpoint keeps of an optimizer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from prism.megatron import checkpoint
from prism.megatron.blend import SourceBatch
from prism.megatron.optimizer_state import rectangles
from prism.megatron.parallel import Layout
from prism.megatron.step import StepResult
from prism.megatron.trainee import Trainee
from prism.recipe import ModelConfig, OptimizerConfig
from prism.train.loss import REPORT, NextTokenLoss

VOCABULARY, LENGTH = 99, 32


def trainee(model: ModelConfig, precision: str = "fp32", trainable: str = "all", **optimizer: Any) -> Trainee:
    built = Trainee(model, VOCABULARY, Layout(), OptimizerConfig(**optimizer), precision, trainable)
    built.initialise(3)
    return built


def step(trained: Trainee, number: int, loss: Any = None) -> StepResult:
    generator = torch.Generator().manual_seed(number)
    tokens = torch.randint(VOCABULARY, (2, LENGTH + 1), generator=generator)
    batch = SourceBatch.whole(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), torch.zeros(2, dtype=torch.long))
    return trained.step([batch], loss or NextTokenLoss(1), 1e-3, REPORT)


def named(trained: Trainee) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in checkpoint.unwrap(trained.chunk).named_parameters()}


def test_matrices_decay_and_norms_biases_and_mambas_rates_do_not(model: ModelConfig, alone: Layout) -> None:
    built = trainee(model)
    names = {id(value): name for name, value in checkpoint.unwrap(built.chunk).named_parameters()}
    groups = {
        group["wd_mult"]: [names[id(value)] for value in group["params"]] for group in built.optimizer.param_groups
    }
    assert set(groups) == {0.0, 1.0}
    assert sorted(groups[0.0] + groups[1.0]) == sorted(names.values())
    undecayed = ("norm.weight", "layernorm.weight", "A_log", ".D", "dt_bias", "bias")
    assert all(name.endswith(undecayed) for name in groups[0.0])
    assert not any(name.endswith(undecayed) for name in groups[1.0])


def test_decay_shrinks_matrices_by_rate_times_decay(model: ModelConfig, alone: Layout) -> None:
    after = []
    for decay in (0.0, 0.1):
        built = trainee(model, weight_decay=decay)
        before = named(built)
        step(built, 1)
        after.append(named(built))
    for name, start in before.items():
        expected = -1e-3 * 0.1 * start if start.ndim > 1 else torch.zeros_like(start)
        torch.testing.assert_close(after[1][name] - after[0][name], expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_attention_only_training_freezes_the_rest(model: ModelConfig, alone: Layout, precision: str) -> None:
    built = trainee(model, precision, trainable="attention")
    before = named(built)
    for number in range(2):
        step(built, number)
    changed = {name for name, value in named(built).items() if not value.equal(before[name])}
    attention = {name for name in before if "self_attention." in name or "input_layernorm." in name}
    assert changed == attention


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_that_is_not_finite_changes_nothing(
    model: ModelConfig, alone: Layout, precision: str, bad: float
) -> None:
    built, undisturbed = trainee(model, precision), trainee(model, precision)

    def broken(losses: Tensor, batch: SourceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        value, sums = NextTokenLoss(1)(losses, batch)
        return value + bad, sums

    for trained in (built, undisturbed):
        assert not step(trained, 0).skipped
    result = step(built, 1, broken)
    assert result.skipped
    assert not math.isfinite(result.grad_norm)
    assert not step(built, 2).skipped
    step(undisturbed, 2)
    for name, value in named(built).items():
        assert value.equal(named(undisturbed)[name]), name


def test_a_gradient_that_overflows_is_not_applied(model: ModelConfig, alone: Layout) -> None:
    built = trainee(model)
    before = named(built)

    def steep(losses: Tensor, batch: SourceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        value, sums = NextTokenLoss(1)(losses, batch)
        return value * 1e37 * 1e2, sums

    assert step(built, 0, steep).skipped
    assert all(value.equal(before[name]) for name, value in named(built).items())


def test_bf16_keeps_fp32_weights_and_gradients_and_learns_as_fp32_does(model: ModelConfig, alone: Layout) -> None:
    narrow, wide = trainee(model, "bf16"), trainee(model)
    for number in range(4):
        results = [step(trained, number) for trained in (narrow, wide)]
        losses = [float(result.sums["loss_sum"].sum() / result.sums["tokens"].sum()) for result in results]
        assert losses[0] == pytest.approx(losses[1], rel=2e-3)
        assert results[0].grad_norm == pytest.approx(results[1].grad_norm, rel=3e-2)
    assert all(value.dtype == torch.bfloat16 for value in named(narrow).values())
    assert all(value.main_grad.dtype == torch.float32 for value in narrow.chunk.parameters())
    mains = [value for group in narrow.optimizer.param_groups for value in group["params"]]
    assert all(value.dtype == torch.float32 for value in mains)
    assert any(not value.equal(value.bfloat16().float()) for value in mains)  # finer than what the model computes with


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("trainable", ["all", "attention"])
def test_a_resumed_optimizer_goes_on_bit_by_bit(
    model: ModelConfig, alone: Layout, tmp_path: Path, precision: str, trainable: str
) -> None:
    undisturbed = trainee(model, precision, trainable)
    for number in range(2):
        step(undisturbed, number)
    saved = undisturbed.save(tmp_path, 2, {})
    resumed = trainee(model, precision, trainable)
    resumed.resume(saved)
    for number in range(2, 4):
        assert step(resumed, number).grad_norm == step(undisturbed, number).grad_norm
    for name, value in named(resumed).items():
        assert value.equal(named(undisturbed)[name]), name


def test_a_fresh_optimizer_is_saved_and_comes_back_fresh(model: ModelConfig, alone: Layout, tmp_path: Path) -> None:
    fresh = trainee(model)
    saved = fresh.save(tmp_path, 0, {})
    resumed = trainee(model)
    step(resumed, 0)
    resumed.resume(saved)
    for number in range(2):
        assert step(resumed, number).grad_norm == step(fresh, number).grad_norm


@pytest.mark.parametrize("shape", [(7,), (4, 6), (3, 2, 5), (1, 1, 8)])
def test_a_run_of_a_flattened_tensor_is_cut_into_boxes(shape: tuple[int, ...]) -> None:
    count = math.prod(shape)
    whole = torch.arange(count).view(shape)
    for first in range(count):
        for end in range(first + 1, count + 1):
            boxes = list(rectangles(shape, first, end))
            taken = [
                whole[tuple(slice(low, low + size) for low, size in zip(offset, box, strict=True))].flatten()
                for offset, box in boxes
            ]
            assert torch.cat(taken).tolist() == list(range(first, end))
            assert len(boxes) <= 2 * len(shape) - 1
