"""The difficulty stage in a run: prompts from published files, measured by a model, mixed, and mixed anew."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_prep.errors import UsageError
from data_prep.files import read_json, read_jsonl
from prism.pipeline.graph import build_graph
from prism.pipeline.run import run
from prism.recipe import Recipe, RecipeErrors, load_recipe
from prism.rl.prompts import load_prompts, stage_prompts
from tests.data_prep.sources.layout import write_rows

TOY_SERVER = Path(__file__).parents[1] / "generate" / "vllm" / "toy_server.py"
SMALL = Path(__file__).parents[1] / "pipeline" / "small.yaml"
PROMPTS = 12


def recipe_of(root: Path, extra: Sequence[str] = ()) -> Recipe:
    return load_recipe(
        SMALL,
        [
            f"run.directory={root}",
            "run.name=difficulty",
            f"data.root={root}/published",
            "rl.prompts.math={path: null, sources: [deepscaler]}",
            "rl.mix={math: 100}",
            "rl.max_response_tokens=8",
            "rl.difficulty={samples: 3, min_correct: 0, max_correct: 3, prompts_per_domain: {math: 9}}",
            "pipeline={mid: null, base: {with: {steps: 2}}, hard: {stage: difficulty, from: base},"
            " fewer: {stage: difficulty, prompts_from: hard, with: {difficulty: {domains: {math: {keep: 4}}}}}}",
            "analyze.pairs=[]",
            "claims={dense_change: null}",
            *extra,
        ],
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    root = tmp_path_factory.mktemp("run")
    rows = [
        {"problem": f"Q calc {first} ; s1 + {second} ?", "solution": "", "answer": str((first + second) % 5)}
        for first in range(4)
        for second in range(1, 4)
    ]
    write_rows(root / "published/deepscaler/deepscaler.json", rows)
    recipe = recipe_of(root)
    run(recipe, only=["fewer"])
    return recipe


def test_prompts_are_prepared_measured_and_mixed(finished: Recipe) -> None:
    card = read_json(finished.data_directory / "prompts/math.card.json")
    assert card["prompts"] == PROMPTS
    measured = list(read_jsonl(finished.stage_directory("hard") / "difficulty.jsonl"))
    samples = list(read_jsonl(finished.stage_directory("hard") / "samples/00000.jsonl"))
    assert len(measured) == len(samples) == 9
    assert all(len(group["samples"]) == 3 for group in samples)
    prompts = load_prompts(finished.stage_directory("hard") / "prompts.jsonl", "?")
    assert [(prompt.row["id"], prompt.correct_before, prompt.samples_before) for prompt in prompts] == [
        (row["id"], row["correct"], 3) for row in measured
    ]


def test_a_mix_made_anew_takes_the_same_counts_without_sampling(finished: Recipe) -> None:
    whole = load_prompts(finished.stage_directory("hard") / "prompts.jsonl", "?")
    fewer = load_prompts(finished.stage_directory("fewer") / "prompts.jsonl", "?")
    assert len(fewer) == 4
    assert [prompt for prompt in whole if prompt in fewer] == fewer
    assert not (finished.stage_directory("fewer") / "samples").exists()
    counts = [finished.stage_directory(stage) / "difficulty.jsonl" for stage in ("hard", "fewer")]
    assert counts[0].read_bytes() == counts[1].read_bytes()


def test_an_rl_stage_reads_what_was_kept_or_the_whole_sets(finished: Recipe) -> None:
    root = finished.run_directory.parent
    kept = stage_prompts(recipe_of(root, ["pipeline.rl={stage: rl, from: base, prompts_from: fewer}"]), "rl")
    assert {domain: len(prompts) for domain, prompts in kept.items()} == {"math": 4}
    whole = stage_prompts(recipe_of(root, ["pipeline.rl={stage: rl, from: base}"]), "rl")  # domains of the mix
    assert {domain: len(prompts) for domain, prompts in whole.items()} == {"math": PROMPTS}


def test_servers_can_sample(finished: Recipe) -> None:
    server = f"[{sys.executable}, {TOY_SERVER}]"
    vllm = f"{{command: {server}, dtype: float32, context_length: 64}}"
    recipe = recipe_of(finished.run_directory.parent, [f"rl.generator={{kind: vllm, vllm: {vllm}}}"])
    stages = finished.stage_directory("hard"), finished.stage_directory("fewer")
    before = [(stage / "difficulty.jsonl").read_bytes() for stage in stages]
    run(recipe, only=["hard"])
    rows = list(read_jsonl(stages[0] / "difficulty.jsonl"))
    assert [row["samples"] for row in rows] == [3] * 9
    assert (stages[0] / "difficulty.jsonl").read_bytes() != before[0]
    run(finished, only=["fewer"])  # as it was, for the other tests
    assert [(stage / "difficulty.jsonl").read_bytes() for stage in stages] == before


def test_a_second_run_measures_nothing(finished: Recipe) -> None:
    assert run(finished, only=["fewer"]).tally.ran == ()


def test_prompts_are_a_node_only_where_a_stage_reads_sources(finished: Recipe) -> None:
    graph = build_graph(finished)
    assert "prompts" in graph["hard"].needs
    assert set(graph["fewer"].needs) == {"data", "prompts", "hard"}
    assert "prompts" not in build_graph(load_recipe("miniature"))
    without = load_recipe("granite_3_3_8b/math_code", ["pipeline.rl=null", "pipeline.hard=null"])
    assert "prompts" not in build_graph(without)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("pipeline.fewer.from=base", "leave out `from`"),
        ("pipeline.hard.from=null", "needs `from`"),
        ("rl.difficulty.domains={math: {min_correct: 2, max_correct: 1}}", "no math prompt is right 2 to 1 times"),
        ("rl.difficulty.domains={maths: {keep: 3}}", "did you mean math"),
        ("rl.difficulty.domains={math: {fill_with_unsolved: true}}", "give `keep`"),
        ("rl.prompts.math.draw={deepscale: 3}", "no source here"),
        ("rl.prompts.math.path=world/prompts_math.jsonl", "either path or sources"),
        ("rl.prompts.math.verifier={kind: math}", "leave verifier out"),
        ("rl.prompts.math.sources=[dclm_edu]", "how its answers are verified"),
        ("rl.prompts.math.sources=[deepscalr]", "deepscaler"),
        ("pipeline.hard.with={prompts: {math: {draw: {deepscaler: 3}}}}", "sources of its own"),
    ],
)
def test_settings_that_disagree_are_refused(tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises((RecipeErrors, UsageError), match=said):
        recipe_of(tmp_path, [override])


def test_missing_files_of_a_source_are_named_before_the_run(tmp_path: Path) -> None:
    from prism.recipe.checks import missing_files

    (found,) = [one for one in missing_files(recipe_of(tmp_path)) if one.path[0] == "rl"]
    assert found.path == ("rl", "prompts", "math", "sources", "deepscaler")
    assert f"{tmp_path}/published/deepscaler" in found.message
