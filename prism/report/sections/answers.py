"""The first screen: did base skill survive, did reasoning improve, what did RL change, what to do next.

Verdicts follow from 95% intervals: a difference counts where its own interval leaves out zero. The interval of a
difference is that of two independent means, which is wider than a paired one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prism.report.claims import ClaimResult
from prism.report.numbers import decimal, percent, signed, significant
from prism.report.results import Results, Stage
from prism.report.sections.likelihood import KEPT_DOMAINS, METRIC
from prism.report.shapes import Estimate

Verdict = Literal["yes", "no", "open"]
_UNSOLVED = 0.02
"""Mean pass rate below which RL hardly ever sees a right response to learn from."""


@dataclass(frozen=True)
class Answer:
    """A question with its verdict in a word, what was measured, and the section that shows it."""

    question: str
    verdict: Verdict
    word: str
    text: str
    section: str


@dataclass(frozen=True)
class Difference:
    """after - before, with the half width of its 95% interval. Fractions, or `bits` per byte."""

    name: str
    before: float
    after: float
    half_width: float
    bits: bool = False

    @property
    def value(self) -> float:
        return self.after - self.before

    @property
    def counts(self) -> bool:
        return abs(self.value) > self.half_width


def answers(results: Results, claims: Sequence[ClaimResult]) -> tuple[Answer, ...]:
    """The four answers, for the main chain."""
    chain = [results.stages[name] for name in results.main_chain()]
    kept, learnt, changed = _survived(chain), _improved(chain), _rl(results, chain)
    return kept, learnt, changed, _next(results, chain, claims, kept, learnt)


def _survived(chain: Sequence[Stage]) -> Answer:
    question = "Did base skill survive?"
    root, last = _ends(chain)
    found = list(_retention(root, last)) if root and last else []
    if not found:
        return Answer(
            question, "open", "not measured", "No task on general skill was run before and after.", "retention"
        )
    lost = [one for one, worse in found if worse and one.counts]
    told = "; ".join(_told(one) for one, _ in found)
    assert root is not None and last is not None
    text = f"From {root.name} to {last.name}: {told}."
    if not lost:
        return Answer(question, "yes", "yes", text, "retention")
    word = "no" if len(lost) == len(found) else "in part"
    return Answer(question, "no", word, text, "retention")


def _retention(root: Stage, last: Stage) -> Iterator[tuple[Difference, bool]]:
    """Each task on general skill, with whether it got worse."""
    for name, task in last.tasks.items():
        metric = METRIC.get(task.kind)
        if metric is None or task.domain not in KEPT_DOMAINS or name not in root.tasks:
            continue
        before, after = root.tasks[name].metrics.get(metric), task.metrics.get(metric)
        if before is None or after is None:
            continue
        one = _difference(name, [before], [after], bits=task.kind == "bits_per_byte")
        yield one, (one.value > 0 if one.bits else one.value < 0)


def _improved(chain: Sequence[Stage]) -> Answer:
    question = "Did reasoning improve?"
    root, last = _ends([stage for stage in chain if stage.kind != "rl"])
    found = _pass_rates(root, last)
    if found is None or root is None or last is None:
        return Answer(question, "open", "not measured", "No generation task was run before and after.", "evaluation")
    text = (
        f"Mid-training took the mean pass rate from {percent(found.before)} to {percent(found.after)}% "
        f"({signed(100 * found.value)} ± {decimal(100 * found.half_width)} points)."
    )
    if not found.counts:
        return Answer(question, "open", "not clearly", text, "evaluation")
    return Answer(question, *(("yes", "yes") if found.value > 0 else ("no", "it fell")), text, "evaluation")


def _rl(results: Results, chain: Sequence[Stage]) -> Answer:
    question = "What did RL change?"
    last = chain[-1] if chain else None
    if last is None or last.kind != "rl" or last.parent is None:
        return Answer(question, "open", "no RL yet", "The main chain has no RL stage.", "rl")
    parent, parts = results.stages[last.parent], []
    sampled, greedy = _pass_rates(parent, last), _pass_rates(parent, last, "pass_rate_greedy")
    if sampled is not None:
        parts.append(f"pass rate {signed(100 * sampled.value)} ± {decimal(100 * sampled.half_width)} points sampled")
    if greedy is not None:
        parts.append(f"{signed(100 * greedy.value)} greedy")
    weights = results.weights.get((parent.name, last.name))
    if weights is not None and 1.0 in weights.total.unchanged_percent:
        parts.append(f"{decimal(100 - weights.total.unchanged_percent[1.0])}% of the weights changed by more than 1%")
    ratio = _less_than_mid_training(results, parent, last)
    if ratio is not None:
        parts.append(f"{significant(ratio, 2)} times less far than by mid-training")
    cka = results.cka.get((parent.name, last.name))
    if cka is not None and cka.minimum is not None:
        parts.append(f"representations hardly changed (least CKA {decimal(cka.minimum, 3)})" if cka.minimum > 0.98 else
                     f"representations changed (least CKA {decimal(cka.minimum, 3)})")  # fmt: skip
    if not parts:
        return Answer(question, "open", "not measured", "RL ran; nothing was measured after it.", "rl")
    text = f"From {parent.name} to {last.name}: {', '.join(parts)}."
    if sampled is None or not sampled.counts:
        return Answer(question, "open", "no clear gain", text, "rl")
    return Answer(question, *(("yes", "it helped") if sampled.value > 0 else ("no", "it hurt")), text, "rl")


def _next(
    results: Results, chain: Sequence[Stage], claims: Sequence[ClaimResult], kept: Answer, learnt: Answer
) -> Answer:
    question = "What next?"
    failed = sum(claim.holds is False for claim in claims)
    word, text, section = _advice(results, chain, kept, learnt, failed)
    return Answer(question, "open", word, text, section)


def _advice(
    results: Results, chain: Sequence[Stage], kept: Answer, learnt: Answer, failed: int
) -> tuple[str, str, str]:
    """The first thing that stands in the way; what to do, and why."""
    if any(answer.word == "not measured" for answer in (kept, learnt)):
        return (
            "measure",
            "Name tasks of general skill and of reasoning in evaluate.tasks and run the recipe again: only these run.",
            "evaluation",
        )
    if kept.verdict == "no":
        return (
            "win it back",
            "Give general text a larger weight in the blend, merge with the base (stage: merge, 0.15 of it in the "
            "paper), or let the retention gate stop the stage (midtrain.retention).",
            "retention",
        )
    last = chain[-1]
    trained = last if last.kind != "rl" else results.stages[str(last.parent)]
    rate = trained.mean("pass_rate")
    if learnt.verdict != "yes":
        return (
            "mid-train longer",
            "Raise midtrain.steps (in the paper gains level off at 15 to 27 billion tokens), or the weight of "
            "reasoning traces; prism sweep compares both.",
            "blends",
        )
    if rate is not None and rate < _UNSOLVED:
        return (
            "not RL yet",
            f"{trained.name} solves {percent(rate)}% of the prompts: RL would hardly see a right response. Mid-train "
            "longer, or filter for prompts that it solves (stage: difficulty).",
            "evaluation",
        )
    if last.kind != "rl":
        return (
            "RL",
            f"{trained.name} solves {percent(rate)}% of the prompts, enough to learn from: add an rl stage.",
            "rl",
        )
    gain = _pass_rates(trained, last)
    if gain is not None and not (gain.counts and gain.value > 0):
        return (
            "look at RL",
            "No clear gain: see whether rewards rise, how many groups teach something, and whether responses end; then "
            "more steps, or prompts of another difficulty.",
            "rl",
        )
    if failed:
        return "read the claims", f"{failed} of the recipe's claims don't hold; the table says by how much.", "claims"
    return (
        "repeat, then scale",
        "Repeat with other seeds (prism sweep), then plan the real model: prism plan llama_3_1_8b/math_code_science.",
        "claims",
    )


def _ends(chain: Sequence[Stage]) -> tuple[Stage | None, Stage | None]:
    """The first and the last stage with results; None where these are one."""
    measured = [stage for stage in chain if stage.tasks]
    return (measured[0], measured[-1]) if len(measured) > 1 else (None, None)


def _pass_rates(before: Stage | None, after: Stage | None, metric: str = "pass_rate") -> Difference | None:
    """Of the mean over the generation tasks that both have."""
    if before is None or after is None:
        return None
    shared = [
        name
        for name, task in after.tasks.items()
        if task.kind == "generate" and metric in task.metrics and name in before.tasks
        and metric in before.tasks[name].metrics
    ]  # fmt: skip
    if not shared:
        return None
    first, second = ([stage.tasks[name].metrics[metric] for name in shared] for stage in (before, after))
    return _difference("pass rate", first, second)


def _difference(name: str, before: Sequence[Estimate], after: Sequence[Estimate], *, bits: bool = False) -> Difference:
    first, second = (sum(one.value for one in part) / len(part) for part in (before, after))
    spread = math.sqrt(sum(((one.high - one.low) / 2) ** 2 for one in (*before, *after))) / len(before)
    return Difference(name, first, second, spread, bits)


def _told(one: Difference) -> str:
    if one.bits:
        return f"{one.name} {decimal(one.before, 3)} to {decimal(one.after, 3)} bits a byte"
    return f"{one.name} {percent(one.before)} to {percent(one.after)}%"


def _less_than_mid_training(results: Results, parent: Stage, last: Stage) -> float | None:
    """How many times less RL moved the weights than the stage that it starts from did."""
    if parent.parent is None:
        return None
    moved = [results.weights.get(pair) for pair in ((parent.parent, parent.name), (parent.name, last.name))]
    sizes = [None if one is None else one.total.relative_l2 for one in moved]
    return None if None in sizes or not sizes[1] else float(sizes[0] or 0) / sizes[1]
