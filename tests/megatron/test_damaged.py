"""No damaged, foreign or misplaced checkpoint is loaded as if nothing were wrong."""

from __future__ import annotations

import json
import logging
import pickle
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from prism.errors import BadInput
from prism.megatron import checkpoint
from prism.megatron.blend import SourceBatch
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.recipe import ModelConfig, OptimizerConfig
from prism.train.loss import REPORT, NextTokenLoss
from tests.megatron.stored import (
    Damage,
    Hostile,
    flip,
    foreign_random_state,
    hostile_tensor,
    inside,
    missing,
    rename_to,
    replaced,
    said,
    sealed,
    taken_from,
    truncate,
    without_blocks,
    without_tensor,
)

VOCABULARY = 40
MODEL = ModelConfig(num_layers=2, hidden_size=16, num_attention_heads=2, ffn_hidden_size=32)
DATA, STATE, RANDOM = "__0_0.distcp", "state.json", "rng_00000.safetensors"
NORM = "decoder.final_layernorm.weight"


def trainee(model: ModelConfig = MODEL, vocabulary: int = VOCABULARY) -> Trainee:
    return Trainee(model, vocabulary, Layout(), OptimizerConfig(learning_rate=1e-2))


def train(trained: Trainee, step: int) -> float:
    tokens = torch.randint(0, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(step))
    batch = SourceBatch.whole(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), torch.zeros(2, dtype=torch.long))
    return float(trained.step([batch], NextTokenLoss(1), 1e-2, REPORT).sums["loss_sum"].sum())


def weights(trained: Trainee) -> torch.Tensor:
    return torch.cat([value.flatten() for value in trained.weights()])


@pytest.fixture(scope="module", autouse=True)
def groups() -> Iterator[None]:
    with process_groups(Layout(), seed=1):
        yield


@pytest.fixture(scope="module")
def pair(groups: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, torch.Tensor]]:
    """Checkpoints of steps 1 and 2, and their weights."""
    folder = tmp_path_factory.mktemp("pair")
    trained = trainee()
    trained.initialise(1)
    kept = {}
    for step in (1, 2):
        train(trained, step)
        trained.save(folder, step, {"tokens": step})
        kept[step] = weights(trained).clone()
    return folder, kept


@pytest.fixture(scope="module")
def spare(groups: None) -> Trainee:
    """Something to load into."""
    return trainee()


_SKIPPED: dict[str, tuple[Damage, str]] = {
    **{f"{DATA} flipped at {place}": (flip(DATA, place), "checksum") for place in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)},
    "metadata flipped first": (flip(".metadata", 0.0), "checksum"),
    "metadata flipped inside": (flip(".metadata", 0.6), "checksum"),
    "metadata flipped last": (flip(".metadata", 1.0), "checksum"),
    "common.pt flipped": (flip("common.pt", 0.5), "checksum"),
    "metadata.json flipped": (flip("metadata.json", 0.3), "checksum"),
    "random state flipped first": (flip(RANDOM, 0.0), "checksum"),
    "random state flipped last": (flip(RANDOM, 1.0), "checksum"),
    "state.json flipped first": (flip(STATE, 0.0), "isn't|can't be read"),
    "state.json flipped inside": (flip(STATE, 0.5), "checksum|can't be read"),
    "data cut short": (truncate(DATA, 0.9), "bytes, not"),
    "data cut to its beginning": (truncate(DATA, 0.01), "bytes, not"),
    "data empty": (truncate(DATA, 0), "0 bytes"),
    "metadata cut short": (truncate(".metadata", 0.5), "bytes, not"),
    "metadata empty": (truncate(".metadata", 0), "0 bytes"),
    "common.pt empty": (truncate("common.pt", 0), "0 bytes"),
    "metadata.json empty": (truncate("metadata.json", 0), "0 bytes"),
    "random state cut short": (truncate(RANDOM, 0.5), "bytes, not"),
    "state.json cut short": (truncate(STATE, 0.5), "can't be read"),
    "state.json empty": (truncate(STATE, 0), "can't be read"),
    "data missing": (missing(DATA), "is missing"),
    "metadata missing": (missing(".metadata"), "is missing"),
    "common.pt missing": (missing("common.pt"), "is missing"),
    "metadata.json missing": (missing("metadata.json"), "is missing"),
    "random state missing": (missing(RANDOM), "is missing"),
    "state.json missing": (missing(STATE), "is missing"),
    "data longer": (lambda folder: (folder / DATA).open("ab").write(b"x") and None, "bytes, not"),
    "data of another step": (taken_from(DATA, 1), "checksum"),
    "common.pt of another step": (taken_from("common.pt", 1), "checksum"),
    "state.json of another step": (taken_from(STATE, 1), "is of step 1"),
    "all of another step under this name": (
        lambda folder: [shutil.copy(file, folder) for file in folder.with_name("step_00000001").iterdir()] and None,
        "is of step 1",
    ),
    "name of a later step": (rename_to(9), "is of step 2"),
    "hostile metadata": (replaced(".metadata", pickle.dumps(Hostile())), "bytes, not"),
    "state.json isn't JSON": (replaced(STATE, b"\xff\xfe{"), "can't be read"),
    "state.json is a list": (replaced(STATE, b"[]"), "isn't an object"),
    "state.json changed by hand": (
        lambda folder: (
            (folder / STATE).write_text((folder / STATE).read_text().replace('"tokens": 2', '"tokens": 3')) and None
        ),
        "another checksum",
    ),
    "state.json without checksum": (replaced(STATE, b'{"schema_version": 2, "step": 2}'), "lacks its checksum"),
    "state.json without files": (said(files="none"), "lacks what it should say"),
    "a layout of no ranks": (inside("layout", tensor=0), "tensor is 0"),
    "a layout of words": (inside("layout", pipeline="two"), "pipeline is two"),
    "a layout that doesn't multiply": (inside("layout", data=3), "is 3, for 1 ranks"),
    "a layout of ranks without random states": (inside("layout", world=2, data=2), "random states of 1"),
    "a layout of more stages than layers": (inside("layout", virtual=4), "2 layers on 4 stages"),
}


@pytest.mark.parametrize("name", _SKIPPED)
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    name: str,
    pair: tuple[Path, dict[int, torch.Tensor]],
    spare: Trainee,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, kept = pair
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    damage, words = _SKIPPED[name]
    damage(tmp_path / "step_00000002")
    with caplog.at_level(logging.WARNING, "prism.megatron"):
        found = checkpoint.require_latest(tmp_path)
    assert found.step == 1 and found.state["tokens"] == 1
    assert any("is skipped" in line for line in caplog.messages)
    assert re.search(words, " ".join(caplog.messages)), caplog.messages
    spare.resume(found)
    assert torch.equal(weights(spare), kept[1])
    assert "must not run" not in capsys.readouterr().out


def data_forgotten_and_removed(folder: Path) -> None:
    said(files={name: found for name, found in _files(folder).items() if name != DATA})(folder)
    (folder / DATA).unlink()


_REFUSED: dict[str, tuple[Damage, str]] = {
    "a later release's": (said(schema_version=7, release="9.1.0"), "schema_version 7.*use prism-megatron 9.1.0"),
    "no release's": (said(schema_version="two"), "schema_version two"),
    "a model of another width": (inside("model", hidden_size=32), "hidden_size is 16 here, 32 there"),
    "a model of other heads": (inside("model", num_attention_heads=4), "num_attention_heads is 2 here, 4 there"),
    "another scaling of logits": (inside("model", logits_scaling=8.0), "logits_scaling is 1.0 here, 8.0 there"),
    "hostile metadata": (sealed(replaced(".metadata", pickle.dumps(Hostile())), ".metadata"), "print"),
    "a hostile tensor": (sealed(hostile_tensor, ".metadata", DATA), "can't be read"),
    "a tensor that isn't there": (sealed(without_tensor(NORM), ".metadata"), f"it has no {NORM}"),
    "blocks that aren't there": (sealed(without_blocks(NORM), ".metadata"), "isn't complete"),
    "moments that aren't there": (
        sealed(without_tensor(f"optimizer.state.exp_avg.{NORM}"), ".metadata"),
        "it has no optimizer.state.exp_avg",
    ),
    "weights alone": (said(optimizer_step=None), "no optimizer state"),
    "a random state that is none": (sealed(foreign_random_state, RANDOM), "isn't a random state"),
    "a file that .metadata points to and state.json forgot": (
        data_forgotten_and_removed,
        "is missing",
    ),
}


def _files(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / STATE).read_text())["files"]
    return found


@pytest.mark.parametrize("name", _REFUSED)
def test_a_foreign_checkpoint_is_refused_in_words(
    name: str,
    pair: tuple[Path, dict[int, torch.Tensor]],
    spare: Trainee,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(pair[0], tmp_path, dirs_exist_ok=True)
    change, words = _REFUSED[name]
    change(tmp_path / "step_00000002")
    with pytest.raises(BadInput, match=words) as refused:
        spare.resume(checkpoint.require_latest(tmp_path))
    assert "step_00000002" in str(refused.value) and "Remedy" in str(refused.value)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": 32}, "hidden_size is 32 here, 16 there"),
        ({"num_layers": 3}, "num_layers is 3 here, 2 there"),
        ({"num_attention_heads": 4}, "num_attention_heads is 4 here"),
        ({"tie_embeddings": True}, "tied_embeddings is True here"),
        ({"activation": "squared_relu", "ffn_hidden_size": 64}, "ffn_hidden_size is 64 here"),
        ({"norm_epsilon": 1e-3}, "layernorm_epsilon is 0.001 here"),
        ({"attention_multiplier": 0.5}, "softmax_scale"),
    ],
)
def test_another_models_checkpoint_is_refused(
    changes: dict[str, object], words: str, pair: tuple[Path, dict[int, torch.Tensor]]
) -> None:
    other = trainee(MODEL.model_copy(update=changes))
    with pytest.raises(BadInput, match=words):
        other.load_weights(checkpoint.require_latest(pair[0]))


def test_a_longer_vocabulary_is_refused(pair: tuple[Path, dict[int, torch.Tensor]]) -> None:
    with pytest.raises(BadInput, match="vocabulary is 41 here, 40 there"):
        trainee(vocabulary=41).load_weights(checkpoint.require_latest(pair[0]))


def test_nothing_sound_is_an_error(pair: tuple[Path, dict[int, torch.Tensor]], tmp_path: Path) -> None:
    shutil.copytree(pair[0], tmp_path, dirs_exist_ok=True)
    for step in (1, 2):
        truncate(DATA, 0.5)(tmp_path / f"step_{step:08d}")
    with pytest.raises(BadInput, match="none of 2 checkpoints is sound"):
        checkpoint.latest(tmp_path)


def test_what_is_read_by_its_path_is_verified_too(
    pair: tuple[Path, dict[int, torch.Tensor]], spare: Trainee, tmp_path: Path
) -> None:
    shutil.copytree(pair[0], tmp_path, dirs_exist_ok=True)
    flip(DATA, 0.5)(tmp_path / "step_00000002")
    with pytest.raises(BadInput, match="another checksum"):
        spare.load_weights(checkpoint.read(tmp_path / "step_00000002"))
