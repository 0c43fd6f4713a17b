"""What can't be compared is refused in one line that names thing, place and remedy; what is finished is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from prism.analyze.weights import Asked, analyse, open_sources
from prism.errors import PrismError
from prism.formats.hf_folder import INDEX
from prism.models.convert import hf_to_megatron
from tests.analyze.weights.naive import moved
from tests.longcontext.made import hf, tensors_of, write

SHARD = "model-00002-of-00003.safetensors"


def compared(*folders: Path, output: Path | None = None) -> Any:
    names = [folder.name for folder in folders]
    return analyse(open_sources([str(folder) for folder in folders], names), Asked(((0, 1),)), output)


def changed(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = tensors_of(folder)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    change(tensors)
    write(folder, tensors, 3)


def put(folder: Path, name: str, value: float) -> None:
    changed(folder, lambda tensors: tensors[name].view(-1).__setitem__(70, value))


Q, UP = "model.layers.1.self_attn.q_proj.weight", "model.layers.2.mlp.up_proj.weight"


def another_family(root: Path) -> None:
    hf(root / "other", 0, "nemotron_h_8b").rename(root / "after")


def another_family_of_the_same_names(root: Path) -> None:
    hf(root / "after", 0, "mistral_7b")


def fewer_layers(root: Path) -> None:
    hf(root / "after", 0, num_hidden_layers=2)


def a_tensor_less(root: Path) -> None:
    changed(hf(root / "after", 0), lambda tensors: tensors.pop(Q))


def another_width(root: Path) -> None:
    hf(root / "after", 0, intermediate_size=128)


def another_vocabulary(root: Path) -> None:
    changed(hf(root / "after", 0), lambda tensors: tensors.update({"lm_head.weight": torch.ones(108, 64).bfloat16()}))


def not_a_number(root: Path) -> None:
    put(hf(root / "after", 0), Q, math.nan)


def infinite(root: Path) -> None:
    put(hf(root / "after", 0), Q, -math.inf)


def empty_file(root: Path) -> None:
    (hf(root / "after", 0) / SHARD).write_bytes(b"")


def cut_short(root: Path) -> None:
    shard = hf(root / "after", 0) / SHARD
    shard.write_bytes(shard.read_bytes()[:-100])


def cut_in_the_header(root: Path) -> None:
    shard = hf(root / "after", 0) / SHARD
    shard.write_bytes(shard.read_bytes()[:100])


def no_shard(root: Path) -> None:
    (hf(root / "after", 0) / SHARD).unlink()


def no_index(root: Path) -> None:
    (hf(root / "after", 0) / INDEX).unlink()


def an_index_that_is_none(root: Path) -> None:
    (hf(root / "after", 0) / INDEX).write_text('{"metadata": {}}')


def a_cut_index(root: Path) -> None:
    (hf(root / "after", 0) / INDEX).write_text('{"weight_map": {')


def a_cut_config(root: Path) -> None:
    (hf(root / "after", 0) / "config.json").write_text('{"model_type"')


def quantised(root: Path) -> None:
    changed(hf(root / "after", 0), lambda tensors: tensors.update({Q: torch.ones(64, 64, dtype=torch.int8)}))


def an_unknown_weight(root: Path) -> None:
    for name in ("before", "after"):
        folder = root / name if name == "before" else hf(root / name, 0)
        changed(folder, lambda tensors: tensors.update({"model.layers.0.router.weight": torch.ones(2, 2)}))


def an_empty_folder(root: Path) -> None:
    (root / "after").mkdir()


def no_tensors(root: Path) -> None:
    (root / "after").mkdir()
    save_file({}, root / "after" / "model.safetensors")


def a_cut_megatron_checkpoint(root: Path) -> None:
    hf_to_megatron(hf(root / "hf", 0), root / "after")
    file = next((root / "after" / "step_00000000").glob("*.distcp"))
    file.write_bytes(file.read_bytes()[:-2000])


BROKEN = {
    another_family: ("before is a llama, after a nemotron_h", "after", "compare checkpoints of one model"),
    another_family_of_the_same_names: ("before is a llama, after a mistral", "after", "of one model"),
    fewer_layers: ("after lacks model.layers.2.* and 15 more.*of layers 2, 3 it has nothing", "after", "isn't whole"),
    a_tensor_less: (f"after lacks {Q}, which before has", "after", "isn't whole"),
    another_width: ("mlp.down_proj.weight is 64x96 in before, 64x128 in after", "after", "one vocabulary"),
    another_vocabulary: ("lm_head.weight is 100x64 in before, 108x64 in after", "after", "one vocabulary"),
    not_a_number: (rf"{Q} of after holds values that aren't finite, the first at \[1, 6\]", "after", "earlier"),
    infinite: (rf"{Q} of after holds values that aren't finite, the first at \[1, 6\]", "after", "earlier"),
    empty_file: ("not a whole safetensors file", f"after/{SHARD}", "fetch it again"),
    cut_short: ("not a whole safetensors file", f"after/{SHARD}", "fetch it again"),
    cut_in_the_header: ("not a whole safetensors file", f"after/{SHARD}", "fetch it again"),
    no_shard: (f"shard {SHARD} is missing", "after", "fetch it"),
    no_index: ("neither model.safetensors nor model.safetensors.index.json", "after", "safetensors checkpoint"),
    an_index_that_is_none: ("not an index of shards", INDEX, "fetch it again"),
    a_cut_index: ("not an index of shards .not valid JSON", INDEX, "fetch it again"),
    a_cut_config: ("not valid JSON", "config.json", "fetch"),
    quantised: ("q_proj.weight is of type I8", "after", "isn't quantised"),
    an_unknown_weight: ("belongs to no known component", "model.layers.0.router.weight", "known family"),
    an_empty_folder: ("no torch_dist checkpoint", "after", "give a folder"),
    no_tensors: ("after lacks", "after", "isn't whole"),
    a_cut_megatron_checkpoint: ("is cut short", "step_00000000", "copy the checkpoint again"),
}


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda breaking: breaking.__name__)
def test_what_is_broken_is_named_with_place_and_remedy(tmp_path: Path, breaking: Callable[[Path], None]) -> None:
    hf(tmp_path / "before", 0)
    breaking(tmp_path)
    message, place, remedy = BROKEN[breaking]
    with pytest.raises(PrismError, match=message) as refused:
        compared(tmp_path / "before", tmp_path / "after")
    assert place in str(refused.value.place)
    assert remedy in str(refused.value.remedy)
    assert refused.value.exit_code == 4
    assert len(str(refused.value).splitlines()) == 1


def test_an_error_names_all_broken_tensors_and_keeps_the_sound_ones(tmp_path: Path) -> None:
    before, after = hf(tmp_path / "before", 0), hf(tmp_path / "after", 1)
    put(after, Q, math.nan)
    put(after, UP, math.inf)
    with pytest.raises(PrismError) as refused:
        compared(before, after, output=tmp_path / "out.json")
    assert refused.value.message.startswith(Q)
    assert refused.value.message.endswith(f"; broken too: {UP}")
    assert "are kept in" in str(refused.value.remedy)
    kept = (tmp_path / ".out.json.partial.jsonl").read_text().splitlines()[1:]
    names = {json.loads(line)["name"] for line in kept}
    assert names == set(tensors_of(before)) - {Q, UP}
    assert not (tmp_path / "out.json").exists()


def test_a_copy_of_a_shared_embedding_is_left_out_with_a_note(tmp_path: Path) -> None:
    before = hf(tmp_path / "before", 0, "granite_3_3_8b")
    after = moved(before, tmp_path / "after", 0.01, 1)
    changed(after, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}))
    done = compared(before, after)
    assert done.notes == ("before shares its output layer with the embedding: lm_head.weight isn't compared",)
    assert "output" not in done.comparisons[0].groups.by_component


def test_a_megatron_checkpoint_without_config_takes_the_other_ones_or_is_refused(tmp_path: Path) -> None:
    folder = hf(tmp_path / "hf", 0)
    hf_to_megatron(folder, tmp_path / "plain", megatron_lm=True)
    hf_to_megatron(folder, tmp_path / "too", megatron_lm=True)
    assert compared(tmp_path / "plain", folder).comparisons[0].groups.total.sum.relative_l2 == 0
    with pytest.raises(PrismError, match=r"carries no config\.json"):
        compared(tmp_path / "plain", tmp_path / "too")


@pytest.mark.parametrize(
    ("text", "message"),
    [("nowhere", "nowhere: no such folder"), ("run:rl", "run: the run has no stage rl. Remedy: use one of mid")],
)
def test_a_folder_or_stage_that_is_not_there_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "stages" / "mid").mkdir(parents=True)
    with pytest.raises(PrismError, match=message) as refused:
        open_sources([text], [text])
    assert refused.value.exit_code == 2
