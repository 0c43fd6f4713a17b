"""The landscape: its corners are the chain's own models, what is between them, resuming, and what can't be mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from prism.analyze.landscape import Grid, asked_task, coefficients, points_folder, run_landscape
from prism.errors import BadInput, UsageError
from prism.evaluate.named import named_model
from prism.evaluate.runner import evaluate_tasks
from prism.megatron.parallel import Layout, process_groups
from tests.analyze.made import bits_task, model, nearby, rewrite, word_task
from tests.forks import run_program

pytestmark = pytest.mark.xdist_group("analysed_models")
NAMES = ("base", "mid", "rl")
WORKER = str(Path(__file__).with_name("landscape_worker.py"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hybrids, each moved from the one before; and tasks."""
    root = tmp_path_factory.mktemp("chain")
    base = model(root / "base", 1, "granite_4_h_micro")
    mid = nearby(base, root / "mid", 0.5, 2)
    nearby(mid, root / "rl", 0.3, 3)
    word_task(root)
    bits_task(root)
    return root


def measured(
    root: Path, out: Path, task: str, grid: Grid, names: tuple[str, ...] = NAMES, precision: str = "fp32"
) -> dict[str, Any]:
    with process_groups(Layout(), seed=1):
        models = [named_model(str(root / name), layout=Layout(), precision=precision) for name in names]
        subjects = [one.open(out / "weights") for one in models]
        asked = asked_task(str(root / task), 200, None)
        run_landscape(subjects, names, asked, grid, out / "landscape.json")
    found: dict[str, Any] = json.loads((out / "landscape.json").read_text())
    return found


def by_place(found: dict[str, Any]) -> dict[tuple[float, float], Any]:
    return {(point["alpha"], point["beta"]): point for point in found["points"]}


def own(root: Path, out: Path, name: str, task: str, precision: str) -> tuple[Any, list[Any]]:
    """Metrics and samples of `prism eval` itself."""
    with process_groups(Layout(), seed=1):
        subject = named_model(str(root / name), layout=Layout(), precision=precision).open(out / "weights")
        asked = asked_task(str(root / task), None, None)
        evaluate_tasks(subject, [asked], out / name)
    return json.loads((out / name / f"{asked.name}.json").read_text())["metrics"], lines(out / name, asked.name)


def lines(folder: Path, task: str) -> list[Any]:
    path = folder / f"{task}.samples.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return [{key: value for key, value in row.items() if key != "key"} for row in rows]


def test_the_path_is_part_of_the_plane_and_computed_once() -> None:
    grid = Grid(5)
    assert grid.path() == [(0, 0), (0.25, 0), (0.5, 0), (0.75, 0), (1, 0), (1, 0.25), (1, 0.5), (1, 0.75), (1, 1)]
    assert grid.all()[:9] == grid.path()
    assert sorted(grid.all()) == [(a / 4, b / 4) for a in range(5) for b in range(5)]
    assert Grid(3, plane=False).all() == [(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1)]


def test_the_sum_is_the_papers() -> None:
    base, mid, rl = torch.randn(3, 7, dtype=torch.float64)
    for alpha, beta in Grid(5).all():
        shares = coefficients(alpha, beta)
        ours = sum(share * weight for share, weight in zip(shares, (base, mid, rl), strict=True))
        torch.testing.assert_close(ours, base + alpha * (mid - base) + beta * (rl - mid), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("task", "precision"), [("words.yaml", "fp32"), ("words.yaml", "bf16"), ("texts.yaml", "fp32")]
)
def test_corners_are_what_evaluation_finds_of_the_checkpoints_to_the_last_digit(
    chain: Path, tmp_path: Path, task: str, precision: str
) -> None:
    found = measured(chain, tmp_path, task, Grid(2), precision=precision)
    assert (found["complete"], found["chain"], found["values"]) == (True, list(NAMES), [0, 1])
    name, points = found["task"], by_place(found)
    for place, model_name in (((0, 0), "base"), ((1, 0), "mid"), ((1, 1), "rl")):
        metrics, samples = own(chain, tmp_path / "own", model_name, task, precision)
        assert points[place]["metrics"] == metrics
        alpha, beta = place
        folder = points_folder(tmp_path / "landscape.json") / f"alpha_{alpha:.4f}_beta_{beta:.4f}"
        assert lines(folder, name) == samples
    assert points[0, 1]["value"] == next(iter(points[0, 1]["metrics"].values()))["value"]


def test_between_the_corners_every_weight_is_interpolated(chain: Path, tmp_path: Path) -> None:
    """Mamba's A_log too: the point in the middle is a checkpoint whose tensors are the means."""
    one, other = (load_file(chain / name / "model.safetensors") for name in ("base", "mid"))
    assert any("A_log" in name and not torch.equal(one[name], other[name]) for name in one)
    middle = nearby(chain / "base", tmp_path / "middle", 0, 1)
    save_file(
        {name: 0.5 * one[name] + 0.5 * other[name] for name in one}, middle / "model.safetensors", {"format": "pt"}
    )
    points = by_place(measured(chain, tmp_path, "texts.yaml", Grid(3, plane=False)))
    with process_groups(Layout(), seed=1):
        subject = named_model(str(middle), layout=Layout()).open(tmp_path / "weights")
        evaluate_tasks(subject, [asked_task(str(chain / "texts.yaml"), None, None)], tmp_path / "own")
    expected = json.loads((tmp_path / "own/texts.json").read_text())["metrics"]["bits_per_byte"]["value"]
    assert points[0.5, 0]["value"] == pytest.approx(expected, rel=1e-6)
    assert len({point["value"] for point in points.values()}) == 5


def test_a_landscape_goes_on_where_it_stopped(chain: Path, tmp_path: Path) -> None:
    whole = measured(chain, tmp_path, "words.yaml", Grid(2))
    folder = points_folder(tmp_path / "landscape.json")
    kept = folder / "alpha_0.0000_beta_0.0000" / "words.json"
    lost = folder / "alpha_1.0000_beta_1.0000" / "words.json"
    before = kept.stat().st_mtime_ns
    lost.unlink()
    (tmp_path / "landscape.json").unlink()
    again = measured(chain, tmp_path, "words.yaml", Grid(2))
    assert kept.stat().st_mtime_ns == before and lost.is_file()
    for old, new in zip(whole["points"], again["points"], strict=True):
        assert {**old, "seconds": 0} == {**new, "seconds": 0}


@pytest.mark.parametrize(("tensor", "pipeline"), [(2, 1), (1, 2)])
def test_ranks_that_share_a_model_find_the_same(chain: Path, tmp_path: Path, tensor: int, pipeline: int) -> None:
    alone = by_place(measured(chain, tmp_path / "one", "texts.yaml", Grid(2)))
    run_program(WORKER, [str(chain), str(tmp_path / "two"), "texts.yaml", str(tensor), str(pipeline)], ranks=2)
    spread = by_place(json.loads((tmp_path / "two/landscape.json").read_text()))
    for place, point in alone.items():
        assert spread[place]["value"] == pytest.approx(point["value"], rel=1e-5)


def test_models_that_differ_in_more_than_weights_are_refused(chain: Path, tmp_path: Path) -> None:
    other = nearby(chain / "mid", tmp_path / "other", 0, 1)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "embedding_multiplier": 3.0}))
    words = nearby(chain / "mid", tmp_path / "words", 0, 1)
    (words / "tokenizer.json").write_text((words / "tokenizer.json").read_text().replace('"w9"', '"nine"'))
    for name in (*NAMES, "texts.yaml"):
        (tmp_path / name).symlink_to(chain / name)
    with pytest.raises(BadInput, match=r"base and other can't be interpolated: embedding_multiplier is 12.0 and 3.0"):
        measured(tmp_path, tmp_path / "out", "texts.yaml", Grid(2), ("base", "other", "rl"))
    with pytest.raises(BadInput, match="their tokenizers differ"):
        measured(tmp_path, tmp_path / "out", "texts.yaml", Grid(2), ("base", "words", "rl"))


def test_weights_that_arent_finite_are_named_and_finished_points_stay(chain: Path, tmp_path: Path) -> None:
    bad = nearby(chain / "rl", tmp_path / "bad", 0, 1)
    rewrite(bad, lambda tensor: tensor * float("nan") if tensor.shape == (64,) else tensor)
    for name in (*NAMES, "texts.yaml"):
        (tmp_path / name).symlink_to(chain / name)
    out = tmp_path / "out"
    measured(tmp_path, out, "texts.yaml", Grid(2, plane=False))
    finished = sorted(points_folder(out / "landscape.json").rglob("texts.json"))
    with pytest.raises(BadInput, match=r"values that aren't finite") as error:
        measured(tmp_path, out, "texts.yaml", Grid(2, plane=False), ("base", "mid", "bad"))
    assert error.value.exit_code == 4
    assert sorted(points_folder(out / "landscape.json").rglob("texts.json")) == finished


def test_samples_are_counted_of_generation_alone(chain: Path) -> None:
    assert asked_task(str(chain / "words.yaml"), 5, 7).model_dump()["samples"] == 7
    with pytest.raises(UsageError, match="isn't sampled"):
        asked_task(str(chain / "texts.yaml"), None, 7)
