"""The retention gate on the miniature: false alarms by replays of recorded evaluations, power, quiet runs, overhead.

    python benchmarks/retention.py [--quick] [--replays 5000] [--seeds 10] [--runs FOLDER] [--record]

Replays: a recorded run's items are recentred so that each measure's true degradation lies exactly at its limit at every
look, the null that is hardest on the gate; each replay draws the items anew and takes them through the whole gate.

Runs: for every seed a base, then mid-training without general data (which the gate must stop in its first third) and on
the paper's mixture (which it must let through), under the gate as the miniature has it. About two minutes a seed; bases
that lie in FOLDER are used again. --quick leaves them out.
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _harness import Ratio, report
from _retention_runs import Outcome, Recording, miniature, record, train

from prism.recipe import Recipe, load_recipe
from prism.train.retention import RetentionGate
from prism.train.retention.bounds import SequentialBounds

RECORDING = Path(__file__).with_name("_retention_recording.json")
FACTS = "midtrain.retention.measures.facts"
GATE = ("midtrain.retention.action=stop",)
"""The miniature's gate, which only warns, made to stop."""
RECORDED = (
    *GATE,
    f"{FACTS}.kind=choice",
    f"{FACTS}.path=world/facts.jsonl",
    f"{FACTS}.questions=256",
    f"{FACTS}.tolerance_points=3",
    f"{FACTS}.transient_points=40",
)
"""The same with a second measure, so that replays also hold measures to each other."""
RATE = 0.01
NEAR = 2.0
"""Standard errors beyond the limit below which a look can't alarm: no critical value is smaller (checked as it runs),
so replays that never come that far needn't be bootstrapped."""


def main() -> None:
    options = _options()
    figures: dict[str, Any] = {}
    ratios: dict[str, Ratio] = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(options.runs or temporary)
        if options.record:
            record(_based(root, 1, RECORDED), "mid").save(RECORDING)
        replays, seeds = (150, 0) if options.quick else (options.replays, options.seeds)
        if replays:
            alarms = replay(Recording.load(RECORDING), load_recipe("miniature", RECORDED), replays)
            low, high = wilson(alarms, replays)
            figures |= {"replays": replays, "false alarms": alarms, "95% interval": [round(low, 4), round(high, 4)]}
            ratios["false_alarm_rate"] = Ratio(alarms / replays, RATE, "at_most")
        if seeds:
            runs = {seed: run_seed(root, seed) for seed in range(1, seeds + 1)}
            figures |= {f"seed {seed}": run for seed, run in runs.items()}
            caught = sum(run["no_general_third"] for run in runs.values())
            quiet = sum(run["paper_stopped"] is None for run in runs.values())
            ratios["caught_in_first_third"] = Ratio(caught / seeds, 1.0)
            ratios["quiet_on_the_papers_mixture"] = Ratio(quiet / seeds, 1.0)
            shares = sorted(run["overhead"] for run in runs.values())
            ratios["overhead_share"] = Ratio(shares[seeds // 2], 0.03, "at_most")
    report("retention", ratios, figures)


def replay(recording: Recording, recipe: Recipe, count: int) -> int:
    """How many of `count` replays of the recording, recentred at the limits, end in an alarm."""
    gate = recipe.midtrain.retention
    assert gate is not None
    times = [step / recording.steps for step in recording.looks]
    nulls = {}
    for name, scores in recording.scores.items():
        measure = gate.measures[name]
        text = measure.kind == "text"
        tolerance = measure.tolerance_percent if measure.kind == "text" else measure.tolerance_points
        transient = measure.transient_percent if measure.kind == "text" else measure.transient_points
        limits = [tolerance + transient * (1 - time) for time in times]
        nulls[name] = (recentred(scores, limits, text=text), limits)
    generator = np.random.default_rng(7)
    sizes = {name: scores.shape[1] for name, scores in recording.scores.items()}
    return sum(_alarms(nulls, sizes, times, gate.spending, generator) for _ in range(count))


def recentred(scores: np.ndarray, limits: Sequence[float], *, text: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """What each item lost and weighs, look by look, moved so that the whole recording's degradation is the limit."""
    before = scores[0]
    weights = before if text else np.ones_like(before)
    moved = []
    for now, limit in zip(scores[1:], limits, strict=True):
        lost = 100.0 * (now - before if text else before - now)
        moved.append((lost + (limit - lost.sum() / weights.sum()) * weights, weights))
    return moved


def _alarms(
    nulls: Mapping[str, Any], sizes: Mapping[str, int], times: Sequence[float], spending: Any, generator: Any
) -> bool:
    """One replay: items drawn with replacement, every look of the gate until one alarms."""
    drawn = {name: generator.integers(0, size, size) for name, size in sizes.items()}
    looks = [
        {name: (moved[look][0][drawn[name]], moved[look][1][drawn[name]]) for name, (moved, _) in nulls.items()}
        for look in range(len(times))
    ]
    limits = {name: limit for name, (_, limit) in nulls.items()}
    if not any(_excess(*look[name], limits[name][number]) > NEAR for number, look in enumerate(looks) for name in look):
        return False
    bounds = _gate(sizes, spending)
    for number, (time, changes) in enumerate(zip(times, looks, strict=True)):
        seen = bounds.look(time, changes)
        for name, found in seen.items():
            assert _excess(*changes[name], found.low) >= NEAR, "a replay that was passed over could have alarmed"
            if found.low > limits[name][number]:
                return True
    return False


def _excess(lost: np.ndarray, weights: np.ndarray, limit: float) -> float:
    """By how many standard errors the loss is beyond the limit."""
    loss = lost.sum() / weights.sum()
    return float((loss - limit) * weights.sum() / np.sqrt(((lost - loss * weights) ** 2).sum()))


_OPEN: dict[str, SequentialBounds] = {}


def _gate(sizes: Mapping[str, int], spending: Any) -> SequentialBounds:
    """A gate that has seen nothing yet; its weights are drawn once."""
    key = repr(sorted(sizes.items()))
    if key not in _OPEN:
        _OPEN[key] = SequentialBounds(sizes, RATE, spending)
    _OPEN[key].restore({"low": [], "high": []})
    return _OPEN[key]


def run_seed(root: Path, seed: int) -> dict[str, Any]:
    """Both stages of one seed under the gate."""
    recipe = _based(root, seed, GATE)
    without = train(recipe, "mid_no_general", lambda vocabulary: [RetentionGate(vocabulary)])
    paper = train(recipe, "mid", lambda vocabulary: [RetentionGate(vocabulary)])
    steps = recipe.training_config("mid").steps
    stopped = _stopped_at(without)
    looks = [row["retention"]["general"] for row in paper.rows if "retention" in row]
    nearest = max(look["degradation"] / look["limit"] for look in looks)
    last = looks[-1]
    found = {
        "no_general_stopped": stopped,
        "no_general_third": stopped is not None and stopped <= steps / 3,
        "paper_stopped": _stopped_at(paper),
        "paper_nearest_to_limit": round(nearest, 3),
        "paper_at_the_end": [round(last[key], 2) for key in ("low", "degradation", "high")],
        "overhead": paper.rows[-1]["timing"]["retention"]["share"],
    }
    print(f"seed {seed}: {found}", flush=True)
    return found


def _stopped_at(outcome: Outcome) -> int | None:
    """The step at which the gate stopped the run."""
    return None if outcome.refused is None else int(re.findall(r"at step (\d+)", outcome.refused)[0])


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95% interval of a rate (Wilson 1927)."""
    z, rate = 1.96, hits / trials
    middle = rate + z**2 / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return (middle - half) / (1 + z**2 / trials), (middle + half) / (1 + z**2 / trials)


def _based(root: Path, seed: int, overrides: Sequence[str]) -> Recipe:
    """The miniature of `seed`, its base trained."""
    recipe = miniature(root, seed, *overrides)
    if not (recipe.stage_directory("base") / "checkpoints").exists():
        train(recipe, "base", lambda vocabulary: [])
    return recipe


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The retention gate on the miniature.")
    parser.add_argument("--quick", action="store_true", help="150 replays of the stored recording, no runs")
    parser.add_argument("--replays", type=int, default=5_000, help="0 for none")
    parser.add_argument("--seeds", type=int, default=10, help="0 for none")
    parser.add_argument("--runs", help="folder in which runs are kept; a temporary one without")
    parser.add_argument("--record", action="store_true", help="record the replayed run anew")
    return parser.parse_args()


if __name__ == "__main__":
    main()
