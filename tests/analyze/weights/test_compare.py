"""Comparisons of checkpoints are numpy's, whatever family, format and types; memory is that of a few blocks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from prism.analyze.weights import THRESHOLDS_PERCENT, Asked, analyse, open_source, open_sources
from prism.analyze.weights.components import cuts_of
from prism.errors import BadInput
from prism.formats.content_hash import content_hash
from prism.formats.hf_folder import SINGLE, Described, HfFolder, header
from prism.formats.masters import PREFIX
from prism.formats.torch_dist_writer import write_torch_dist
from prism.models.convert import hf_to_megatron
from prism.models.family import family_of, identify
from prism.models.storage import FromHf, to_pieces
from tests.analyze.weights.naive import cosine, figures, moved
from tests.longcontext.made import hf, tensors_of
from tests.models.tiny import TINY

Tensors = list[tuple[torch.Tensor, torch.Tensor]]


def compared(*folders: Path, asked: Asked | None = None) -> dict[str, Any]:
    names = [folder.name for folder in folders]
    done = analyse(open_sources([str(folder) for folder in folders], names), asked or Asked(((0, 1),)))
    return json.loads(json.dumps(done.as_json()))


def naive_groups(before: Path, after: Path) -> dict[str, dict[str, Tensors]]:
    """Pairs of matrices by level and name."""
    found: dict[str, dict[str, Tensors]] = defaultdict(lambda: defaultdict(list))
    old, new = tensors_of(before), tensors_of(after)
    for name in sorted(old):
        for cut in cuts_of(name, tuple(old[name].shape)):
            pair = old[name][cut.first : cut.end], new[name][cut.first : cut.end]
            found["total_all"][""].append(pair)
            if old[name].ndim > 1:
                found["total"][""].append(pair)
            found["by_component"][cut.part.component].append(pair)
            found["by_sub_component"][cut.part.sub_component].append(pair)
            found["tensors"][cut.name].append(pair)
            if cut.part.layer is not None:
                found["by_layer"][str(cut.part.layer)].append(pair)
    return found


def assert_same(found: dict[str, Any], pairs: Tensors) -> None:
    expected = figures(pairs, THRESHOLDS_PERCENT)
    assert found["elements"] == expected["elements"]
    assert found["relative_l2"] == pytest.approx(expected["relative_l2"], rel=1e-9)
    assert found["unchanged_percent"] == pytest.approx(expected["unchanged_percent"], abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bf16", "fp32"])
@pytest.mark.parametrize("name", TINY)
def test_every_figure_of_every_family_is_that_of_numpy(tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    before = hf(tmp_path / "before", 0, name, dtype)
    after = moved(before, tmp_path / "after", 0.02, 1)
    (found,) = compared(before, after)["comparisons"]
    groups = naive_groups(before, after)
    assert_same(found["total"], groups["total"][""])
    assert_same(found["total_all"], groups["total_all"][""])
    for level in ("by_component", "by_sub_component", "by_layer"):
        assert set(found[level]) == set(groups[level])
        for part, pairs in groups[level].items():
            assert_same(found[level][part], pairs)
    assert {row["name"] for row in found["tensors"]} == set(groups["tensors"])
    for row in found["tensors"]:
        assert_same(row, groups["tensors"][row["name"]])
    rounded = [(old.bfloat16(), new.bfloat16()) for old, new in groups["total"][""]]
    if dtype == torch.bfloat16:
        assert found["in_bf16"] is None
        assert found["precision"] == "bf16 export"
    else:
        assert_same(found["in_bf16"]["total"], rounded)
        assert found["precision"] == "fp32 master"


@pytest.mark.parametrize("name", TINY)
def test_a_megatron_checkpoint_gives_the_figures_and_the_hash_of_the_folder_it_was_made_of(
    tmp_path: Path, name: str
) -> None:
    before = hf(tmp_path / "before", 0, name)
    after = moved(before, tmp_path / "after", 0.02, 1)
    hf_to_megatron(after, tmp_path / "megatron")
    direct, mixed = (compared(before, other)["comparisons"][0] for other in (after, tmp_path / "megatron"))
    assert mixed["sources"]["after"]["format"] == "torch_dist"
    assert mixed["sources"]["after"]["content"] == direct["sources"]["after"]["content"]
    for key in ("total", "total_all", "by_component", "by_sub_component", "by_layer", "tensors"):
        assert mixed[key] == direct[key]


def test_the_hash_is_the_one_that_a_merge_writes_down(tmp_path: Path) -> None:
    folder = hf(tmp_path / "a", 0)
    weights = HfFolder(folder)
    assert compared(folder, folder)["sources"][0]["content"] == content_hash(weights, weights.names())


def test_a_checkpoint_against_itself_has_moved_by_nothing(tmp_path: Path) -> None:
    folder = hf(tmp_path / "a", 0)
    (found,) = compared(folder, folder)["comparisons"]
    for row in [found["total"], *found["by_component"].values(), *found["tensors"]]:
        assert row["relative_l2"] == 0
        assert set(row["unchanged_percent"].values()) == {100.0}


def test_three_checkpoints_give_every_pair_and_the_angle(tmp_path: Path) -> None:
    base = hf(tmp_path / "base", 0, dtype=torch.float32)
    mid = moved(base, tmp_path / "mid", 0.1, 1)
    rl = moved(mid, tmp_path / "rl", 0.001, 2)
    asked = Asked(((0, 1), (1, 2), (0, 2)), relations=(((0, 1), (1, 2)), ((0, 1), (0, 2))))
    found = compared(base, mid, rl, asked=asked)
    for one, (before, after) in zip(found["comparisons"], ((base, mid), (mid, rl), (base, rl)), strict=True):
        assert (one["before"], one["after"]) == (before.name, after.name)
        assert_same(one["total"], naive_groups(before, after)["total"][""])
    to_mid, to_rl, whole = (naive_groups(*pair)["by_component"] for pair in ((base, mid), (mid, rl), (base, rl)))
    for relation, other in zip(found["relations"], (to_rl, whole), strict=True):
        for part in to_mid:
            expected = cosine(to_mid[part], other[part])
            assert relation["by_component"][part]["cosine"] == pytest.approx(expected, abs=1e-9)


def test_bf16_against_fp32_is_compared_in_bf16_and_said_so(tmp_path: Path) -> None:
    narrow = hf(tmp_path / "narrow", 0)
    wide = moved(narrow, tmp_path / "wide", 0.02, 1, torch.float32)
    rounded = moved(narrow, tmp_path / "rounded", 0.02, 1)
    found, expected = compared(narrow, wide), compared(narrow, rounded)["comparisons"][0]
    (note,) = found["notes"]
    assert note == "narrow is bfloat16 where wide is float32: the wider is rounded, and rounding looks like change"
    assert found["comparisons"][0]["total"] == expected["total"]
    assert found["comparisons"][0]["dtype"] == "bfloat16"


def test_a_stage_of_a_run_is_its_export_or_its_newest_checkpoint(tmp_path: Path) -> None:
    stages = tmp_path / "run" / "stages"
    base = hf(stages / "base" / "hf", 0)
    hf_to_megatron(base, stages / "mid" / "checkpoints")
    found = compared(Path(f"{tmp_path / 'run'}:base"), Path(f"{tmp_path / 'run'}:mid"))
    assert [source["format"] for source in found["sources"]] == ["safetensors", "torch_dist"]
    assert found["comparisons"][0]["total"]["relative_l2"] == 0


@pytest.mark.parametrize("name", ["llama_3_1_8b", "nemotron_h_8b"])
def test_fp32_masters_of_an_optimizer_are_compared_where_they_are_asked_for(tmp_path: Path, name: str) -> None:
    wide = hf(tmp_path / "wide", 0, name, torch.float32)
    narrow = moved(wide, tmp_path / "narrow", 0.0, 1, torch.bfloat16)
    after = moved(wide, tmp_path / "after", 0.002, 2)
    checkpoint = with_masters(narrow, after, tmp_path / "checkpoint")
    texts, names = [str(wide), str(checkpoint)], ["before", "after"]
    masters = analyse(open_sources(texts, names, masters=True), Asked(((0, 1),))).comparisons[0]
    expected = analyse(open_sources([str(wide), str(after)], names), Asked(((0, 1),))).comparisons[0]
    assert masters.precision == "fp32 master"
    assert masters.after.content == expected.after.content
    assert masters.groups == expected.groups
    own = analyse(open_sources(texts, names), Asked(((0, 1),))).comparisons[0]
    assert own.precision == "mixed, in bfloat16"
    without = hf_to_megatron(narrow, tmp_path / "without").path
    with pytest.raises(BadInput, match="holds no fp32 master of"):
        open_sources([str(without)], ["after"], masters=True)


def with_masters(narrow: Path, wide: Path, target: Path) -> Path:
    """A checkpoint of the narrow weights in which an optimizer keeps the wide ones, as `prism.megatron` saves it."""
    model = identify(narrow)
    assert model.vocab_size is not None
    weights = list(family_of(model).weight_map(model, model.vocab_size))
    pieces, shapes, states = to_pieces(FromHf(HfFolder(narrow), model), weights, model)
    masters, of_masters, _ = to_pieces(FromHf(HfFolder(wide), model), weights, model)
    pieces += [replace(piece, key=f"{PREFIX}{piece.key}") for piece in masters]
    shapes |= {f"{PREFIX}{key}": shape for key, shape in of_masters.items()}
    target.mkdir()
    write_torch_dist(target, pieces, shapes, states, 1)
    shutil.copytree(narrow, target / "hf")
    return target


def test_finished_tensors_are_not_read_again(tmp_path: Path) -> None:
    before = hf(tmp_path / "before", 0)
    after = moved(before, tmp_path / "after", 0.02, 1)
    sources = [open_source(str(folder), folder.name) for folder in (before, after)]
    first = analyse(sources, Asked(((0, 1),)), tmp_path / "out.json")
    kept = (tmp_path / ".out.json.partial.jsonl").read_text().splitlines()
    cut = "\n".join([*kept[: len(kept) // 2], kept[-1][:50]])  # as a kill leaves it
    (tmp_path / ".out.json.partial.jsonl").write_text(cut)
    second = analyse(sources, Asked(((0, 1),)), tmp_path / "out.json")
    assert second.as_json() == first.as_json()
    assert 0 < second.read_bytes < first.read_bytes
    third = analyse(sources, Asked(((0, 1),)), tmp_path / "out.json")
    assert third.read_bytes == 0
    assert third.as_json() == first.as_json()
    asked = Asked(((0, 1),), (3.0,))
    assert analyse(sources, asked, tmp_path / "out.json").read_bytes == first.read_bytes


def test_a_tensor_of_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    before, after = (hf(tmp_path / name, seed) for seed, name in enumerate(("before", "after")))
    names = [str(before), str(after)]
    analyse(open_sources(names, names), Asked(((0, 1),)), tmp_path / "out.json")
    other = hf(tmp_path / "other", 2)
    shard = "model-00002-of-00003.safetensors"
    shutil.copyfile(other / shard, after / shard)
    again = analyse(open_sources(names, names), Asked(((0, 1),)), tmp_path / "out.json")
    assert again.as_json() == analyse(open_sources(names, names), Asked(((0, 1),))).as_json()
    assert again.read_bytes == 2 * sum(tensor.nbytes for tensor in load(other / shard))


def load(file: Path) -> list[torch.Tensor]:
    from safetensors.torch import load_file

    return list(load_file(file).values())


MEASURED = """
import sys, threading, time
from pathlib import Path
from prism.analyze.weights import Asked, analyse, open_source
from prism.analyze.weights.blocks import change_of
import torch

def held():
    lines = dict(line.split(':') for line in Path('/proc/self/status').read_text().splitlines() if ':' in line)
    return sum(int(lines[key].split()[0]) for key in ('RssAnon', 'RssShmem')) * 1024

change_of(torch.ones(9).bfloat16(), torch.ones(9).bfloat16(), [1.0])
before, peak, done = held(), 0, threading.Event()

def watch():
    global peak
    while not done.is_set():
        peak = max(peak, held())
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
analyse([open_source(path) for path in sys.argv[1:]], Asked(((0, 1),)))
done.set()
watcher.join()
print(before, peak)
"""


def test_memory_is_that_of_a_few_blocks_whatever_the_size_of_a_tensor(tmp_path: Path) -> None:
    tensors = [Described(f"model.layers.{layer}.mlp.up_proj.weight", (8192, 10000), torch.bfloat16) for layer in (0, 1)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        begin, starts = header(tensors)
        with (tmp_path / name / SINGLE).open("wb") as file:  # zeros that take no room on the disk
            file.write(begin)
            file.truncate(starts[-1] + tensors[-1].bytes)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "a"), str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, peak = map(int, done.stdout.split())
    assert peak < 1e9
    assert peak - before < 100e6  # a tensor is 164 MB
