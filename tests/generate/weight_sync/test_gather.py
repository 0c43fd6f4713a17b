"""What ranks gather is what an export of the same checkpoint holds, bit for bit, at every layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from prism.errors import BadInput
from prism.generate.weight_sync.gather import WeightGatherer
from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.models.convert import export
from prism.models.family import identify
from prism.recipe import OptimizerConfig
from tests.generate.weight_sync.gather_worker import BUCKET_BYTES, NAMES
from tests.models.tiny import TINY, VOCABULARY
from tests.models.tiny_io import run

Tensors = Mapping[str, torch.Tensor]
pytestmark = pytest.mark.xdist_group("gather")  # one process makes the checkpoints, all tests share them


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of each model, as a checkpoint and as its export, `<name>.hf`."""
    root = tmp_path_factory.mktemp("made")
    with process_groups(Layout(), seed=1):
        for name in NAMES:
            (root / name).mkdir()
            (root / name / "config.json").write_text(json.dumps(TINY[name]))
            model = identify(root / name)
            trainee = Trainee(model, VOCABULARY, Layout(), OptimizerConfig())
            trainee.initialise(seed=5)
            saved = checkpoint.save(root / f"{name}.megatron", 1, trainee.chunks, trainee.optimizer, {})
            export(saved.path, root / f"{name}.hf", model, VOCABULARY, {})
    return root


def gathered(root: Path, name: str) -> Tensors:
    return load_file(f"{root}.{name}")


@pytest.fixture(scope="module", params=["1x1", "2x1", "1x2", "2x2", "1x2x2"])
def at_layout(request: pytest.FixtureRequest, made: Path) -> Path:
    """Tensor x pipeline x virtual pipeline sizes; the start of the names of what was gathered there."""
    sizes = [int(size) for size in request.param.split("x")]
    out = made / f"out.{request.param}"
    run("tests.generate.weight_sync.gather_worker", made, out, *sizes, ranks=sizes[0] * sizes[1])
    return out


def test_ranks_gather_what_the_export_holds(at_layout: Path, made: Path) -> None:
    names = [name for name in NAMES if Path(f"{at_layout}.{name}").exists()]
    assert names
    for name in names:
        found, expected = gathered(at_layout, name), load_file(made / f"{name}.hf" / "model.safetensors")
        assert found.keys() == expected.keys()
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, atol=0, rtol=0)


def test_a_bucket_holds_no_more_than_its_bytes(at_layout: Path) -> None:
    buckets = json.loads(Path(f"{at_layout}.{NAMES[0]}.json").read_text())
    assert len(buckets) > 3
    assert max(size for size, _ in buckets) <= BUCKET_BYTES


@pytest.fixture
def trainee(made: Path, alone: Layout) -> Trainee:
    model = identify(made / "llama_3_1_8b")
    trainee = Trainee(model, VOCABULARY, Layout(), OptimizerConfig())
    trainee.load_weights(checkpoint.require_latest(made / "llama_3_1_8b.megatron"))
    return trainee


def test_weights_are_those_of_now_not_of_when_the_gatherer_was_made(
    made: Path, alone: Layout, trainee: Trainee
) -> None:
    gatherer = WeightGatherer(trainee.chunks, trainee.model, VOCABULARY, 1 << 30)
    with torch.no_grad():
        for weight in trainee.weights():
            weight.add_(1)
    before = load_file(made / "llama_3_1_8b.hf" / "model.safetensors")
    after = {name: tensor for bucket in gatherer.buckets() for name, tensor in bucket.tensors}
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor + 1, atol=0, rtol=0)


def test_matrices_are_rounded_before_they_travel_and_vectors_are_not(trainee: Trainee) -> None:
    gatherer = WeightGatherer(trainee.chunks, trainee.model, VOCABULARY, 1 << 30, torch.bfloat16)
    found = {name: tensor for bucket in gatherer.buckets() for name, tensor in bucket.tensors}
    for name, tensor in found.items():
        assert tensor.dtype == (torch.float32 if tensor.ndim == 1 else torch.bfloat16), name
    plan = {item.name: item.dtype for bucket in gatherer.plan for item in bucket}
    assert plan == {name: tensor.dtype for name, tensor in found.items()}


def test_a_part_that_nobody_holds_is_named(trainee: Trainee) -> None:
    larger = trainee.model.model_copy(update={"num_layers": trainee.model.num_layers + 1})
    with pytest.raises(BadInput, match=r"the ranks hold 0 of .* elements of decoder\.layers\.4\."):
        WeightGatherer(trainee.chunks, larger, VOCABULARY, 1 << 30)
