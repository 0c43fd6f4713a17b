"""Training on packed documents: every layout alike, and no document sees another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from data_prep import api as data
from data_prep.api import TrainingRow
from prism.megatron import checkpoint
from prism.megatron.blend import BlendedBatches
from prism.megatron.build import build_model
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.step import forward_backward
from prism.recipe import Recipe, load_recipe
from prism.train.loss import REPORT, NextTokenLoss
from tests.models.tiny_io import run
from tests.train.conftest import SmallRun
from tests.train.layouts_worker import TWO_RANKS

SHORT = [
    "midtrain.sequence_length=128",
    "midtrain.micro_batch_size=1",
    "midtrain.global_batch_size=4",
    "midtrain.schedule.warmup_steps=2",
    "pipeline.base.with.steps=2",
    "pipeline.base.with.schedule.warmup_steps=1",
    "pipeline.mid.with.steps=10",
    "pipeline.mid.with.packing=best_fit",
    "pipeline.apart={stage: midtrain, from: base, with: {steps: 10, attention_across_documents: false}}",
    "pipeline.across={stage: midtrain, from: base, with: {steps: 10}}",
]
APART = {"packed": "mid", "concatenated": "apart"}

pytestmark = pytest.mark.xdist_group("packed")  # one process makes what its tests share


@pytest.fixture(scope="module", params=["miniature", "miniature_hybrid"])
def begun(request: pytest.FixtureRequest, small_run: Callable[..., SmallRun]) -> SmallRun:
    """A run whose `base` is the common start."""
    even = ["model.num_layers=8", "model.hybrid_pattern=M-M*-M--"] if request.param == "miniature_hybrid" else []
    small = small_run(request.param, *SHORT, *even)
    small.train("base")
    return small


@pytest.fixture(scope="module")
def one_process(begun: SmallRun) -> list[float]:
    """Losses of the packed stage."""
    return [row["loss"] for row in begun.copy(begun.directory.with_name("alone")).train("mid")]


@pytest.fixture(scope="module")
def two_processes(begun: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """Losses of the packed stage under each layout of two ranks."""
    root = tmp_path_factory.mktemp("layouts")
    copies = {layout: begun.copy(root / layout) for layout in TWO_RANKS}
    run("tests.train.layouts_worker", begun.recipe, "mid", root, *begun.overrides)
    return {layout: [row["loss"] for row in copy.metrics("mid")] for layout, copy in copies.items()}


@pytest.mark.parametrize("layout", TWO_RANKS)
def test_the_first_10_losses_equal_one_processs(
    one_process: list[float], two_processes: dict[str, list[float]], layout: str
) -> None:
    assert len(two_processes[layout]) == 10
    assert two_processes[layout] == pytest.approx(one_process, rel=1e-5)


@pytest.fixture
def alone() -> Iterator[None]:
    with process_groups(Layout(), seed=1):
        yield


class Rows:
    """A stage's samples from its own locks, and the losses of the stage's start on them."""

    def __init__(self, small: SmallRun, stage: str) -> None:
        self.recipe: Recipe = load_recipe(small.recipe, small.overrides)
        self.config = self.recipe.training_config(stage)
        directory = self.recipe.data_directory
        vocabulary = data.load_tokenizer(directory / "tokenizer.json", self.recipe.data.tokenizer.end_of_document)
        self.samples = data.open_samples(directory, self.config.run_samples, vocabulary.end_of_document_id)
        self.model = build_model(self.recipe.model, vocabulary.vocab_size, Layout(), "fp32").eval()
        start = self.recipe.stage_directory("base") / "checkpoints"
        checkpoint.load(checkpoint.require_latest(start), self.model)

    def with_several_documents(self, count: int) -> list[int]:
        """Samples whose row holds at least three documents that have labels."""
        rows = ((sample, self.samples[sample].item) for sample in range(len(self.samples)))
        found = [sample for sample, row in rows if row.ends is not None and len(row.ends) > 3]
        assert len(found) >= count
        return found[:count]

    def trained_loss(self, sample: int) -> float:
        """What a training step reports of a micro batch of this row."""
        batches = BlendedBatches(self.samples, 1, 1).global_batch(sample)
        loss = NextTokenLoss(len(self.samples.names))
        with torch.no_grad():
            sums = forward_backward([self.model], batches, loss, report=REPORT, forward_only=True)
        return float(sums["loss_sum"].sum() / sums["tokens"].sum())

    def piece_losses(self, row: TrainingRow) -> Tensor:
        """Losses of the labels that count, each document run alone: (labels,), float64."""
        assert row.ends is not None
        found = []
        for start, end in zip([0, *row.ends[:-1]], row.ends, strict=True):
            mask = torch.ones(end - start) if row.mask is None else torch.from_numpy(row.mask[start:end])
            tokens = torch.from_numpy(row.tokens[start:end])[None]
            positions = torch.arange(end - start)[None]
            with torch.no_grad():
                logits = self.model(tokens, positions, None)[0].double()
            logprobs = logits.log_softmax(-1)[torch.arange(end - start), torch.from_numpy(row.labels[start:end])]
            found.append(-logprobs[mask.bool()])
        return torch.cat(found)


@pytest.mark.parametrize("way", APART)
def test_a_rows_loss_is_the_mean_over_its_documents_alone(begun: SmallRun, way: str, alone: None) -> None:
    rows = Rows(begun, APART[way])
    for sample in rows.with_several_documents(4):
        row = rows.samples[sample].item
        expected = rows.piece_losses(row)
        assert len(expected) == row.labels_that_count
        assert rows.trained_loss(sample) == pytest.approx(float(expected.mean()), rel=1e-6)


def test_with_attention_across_documents_the_loss_of_the_same_rows_differs(begun: SmallRun, alone: None) -> None:
    apart, across = Rows(begun, "apart"), Rows(begun, "across")
    for sample in apart.with_several_documents(4):
        assert (apart.samples[sample].item.tokens == across.samples[sample].item.tokens).all()
        assert across.samples[sample].item.ends is None
        assert abs(across.trained_loss(sample) - apart.trained_loss(sample)) > 1e-4
