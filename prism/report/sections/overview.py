"""The head of the page: what was run, its figures at a glance, and what to bear in mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.report.claims import ClaimResult
from prism.report.numbers import decimal, duration, percent, short, signed
from prism.report.results import Results, Stage

_NOISE_POINTS = 4.0


@dataclass(frozen=True)
class Tile:
    """A figure at a glance. `detail` is the line below it."""

    label: str
    value: str
    unit: str
    detail: str


@dataclass(frozen=True)
class Overview:
    name: str
    facts: tuple[tuple[str, str], ...]
    lead: str
    tiles: tuple[Tile, ...]
    cautions: tuple[str, ...]


def overview(results: Results, claims: Sequence[ClaimResult]) -> Overview:
    chain = [results.stages[name] for name in results.main_chain()]
    return Overview(
        name=results.recipe.run.name,
        facts=_facts(results),
        lead=_lead(results, chain),
        tiles=(*(_tile(stage) for stage in chain), *_claims_tile(claims)),
        cautions=tuple(
            text
            for text in (_uncontained(results), _trace_noise(results), _gain(results, chain), _intervals(chain))
            if text
        ),
    )


def _facts(results: Results) -> tuple[tuple[str, str], ...]:
    facts = [("seed", str(results.recipe.run.seed)), ("model", model_in_words(results))]
    if results.seconds():
        facts.append(("compute", duration(sum(results.seconds().values()))))
    ended = [node.finished for node in results.nodes.values() if node.finished]
    if ended:
        facts.append(("finished", max(ended)[:16].replace("T", " ") + " UTC"))
    versions = sorted({node.code_version for node in results.nodes.values() if node.code_version})
    if versions:
        facts.append(("prism", ", ".join(versions)))
    return tuple(facts)


def model_in_words(results: Results) -> str:
    model = results.recipe.model
    pattern = model.get("hybrid_pattern")
    kind = f"attention-Mamba hybrid {pattern}" if pattern else f"dense {model.get('family', '')}".strip()
    sizes = {"num_layers": "{} layers", "hidden_size": "width {}"}
    return ", ".join([kind, *(text.format(model[key]) for key, text in sizes.items() if key in model)])


def _lead(results: Results, chain: Sequence[Stage]) -> str:
    told = ", then ".join(_told(stage) for stage in chain)
    others = sum(stage.kind != "difficulty" for stage in results.stages.values()) - len(chain)
    parts = [f"This page follows one model through its training: {told}." if told else "The recipe plans no stage."]
    if others > 0:
        stages = "stages vary" if others > 1 else "stage varies"
        parts.append(f"Beside this chain {others} more {stages} the blend, the starting point or the RL prompts.")
    parts.append("Every figure was measured in this run; what hasn't been run yet says so.")
    return " ".join(parts)


def _told(stage: Stage) -> str:
    tokens = f"{short(stage.tokens)} tokens of " if stage.tokens else ""
    match stage.kind:
        case "import":
            what = "published weights"
        case "pretrain":
            what = f"pre-trained from scratch on {tokens}the blend “{stage.blend}”"
        case "midtrain":
            what = f"mid-trained on {tokens}the blend “{stage.blend}”"
        case "extend":
            what = f"trained at a longer context on {tokens}the blend “{stage.blend}”"
        case "merge":
            what = "merged with an earlier checkpoint"
        case "rl":
            what = f"trained by {len(stage.rl) or ''} steps of RL on verifiable rewards".replace("  ", " ")
        case _:
            what = stage.kind
    return f"{what} ({stage.name})"


def _tile(stage: Stage) -> Tile:
    sampled, greedy = stage.mean("pass_rate"), stage.mean("pass_rate_greedy")
    if sampled is None and greedy is None:
        return Tile(stage.name, "–", "", "no pass rate measured")
    return Tile(stage.name, percent(sampled), "%", f"sampled pass rate; greedy {percent(greedy)}%")


def _claims_tile(claims: Sequence[ClaimResult]) -> tuple[Tile, ...]:
    judged = [claim for claim in claims if claim.holds is not None]
    if not claims:
        return ()
    held = sum(claim.holds is True for claim in judged)
    missing = sum(claim.value is None for claim in claims)
    free = len(claims) - len(judged) - missing
    counts = [f"{free} without a threshold" if free else "", f"{missing} not measured" if missing else ""]
    detail = "; ".join(["hold", *(count for count in counts if count)])
    return (Tile("claims", f"{held}", f"of {len(judged)}", detail),)


def _uncontained(results: Results) -> str | None:
    nodes = [name for name, node in results.nodes.items() if {"sandbox": "none"} in [dict(one) for one in node.events]]
    if not nodes:
        return None
    return (
        f"Model-written programs ran without a sandbox, with limits on time and memory alone, in {', '.join(nodes)} "
        "(sandbox.allow_unsandboxed)."
    )


def _trace_noise(results: Results) -> str | None:
    world = results.recipe.data.world
    noise = world.get("trace_noise", 0) if world else 0
    if not noise:
        return None
    return (
        "The world is made up, and its traces are noisy on purpose. In training data each step of a reasoning trace "
        f"is wrong with probability {noise:g}, and the error is carried on: this stands for distilled traces that "
        "nobody verified, and it is what leaves RL something to gain. Evaluation and RL use the truth."
    )


def _gain(results: Results, chain: Sequence[Stage]) -> str | None:
    last = chain[-1] if chain else None
    if last is None or last.kind != "rl" or last.parent is None:
        return None
    parent = results.stages[last.parent]
    figures = [one.mean(metric) for metric in ("pass_rate", "pass_rate_greedy") for one in (parent, last)]
    if any(figure is None for figure in figures):
        return None
    before, after, greedy_before, greedy_after = (100 * figure for figure in figures if figure is not None)
    sampled, greedy = after - before, greedy_after - greedy_before
    measured = (
        f"From {parent.name} to {last.name} the sampled pass rate goes from {decimal(before)} to {decimal(after)}% "
        f"({signed(sampled)} points), the greedy one from {decimal(greedy_before)} to {decimal(greedy_after)}% "
        f"({signed(greedy)})."
    )
    if sampled <= _NOISE_POINTS:
        return f"RL shows no clear gain in this run. {measured}"
    if abs(greedy) < _NOISE_POINTS:
        return (
            f"RL's gain is a gain in sampling. {measured} Greedy decoding is about flat: RL removes sampling noise "
            "that the training data taught, which is no evidence of new problems solved."
        )
    if 0 < greedy < sampled:
        return (
            f"RL's gain is larger in sampling than in greedy decoding. {measured} The difference is sampling noise "
            "that RL removed; only the greedy part may be new problems solved."
        )
    if greedy < 0:
        return f"RL's gain is in sampling only. {measured} Greedy decoding got worse."
    return f"RL gains in sampling and in greedy decoding alike. {measured}"


def _intervals(chain: Sequence[Stage]) -> str | None:
    tasks = [task for stage in chain for task in stage.tasks.values() if "pass_rate" in task.metrics]
    if not tasks:
        return None
    widest = max((task.metrics["pass_rate"].high - task.metrics["pass_rate"].low) / 2 for task in tasks)
    return (
        "Whiskers and bands are 95% bootstrap intervals over prompts; those of the chain's pass rates reach up to "
        f"{decimal(100 * widest)} points either way, so smaller differences between single tasks say little."
    )
