"""Which measured prompts RL draws from: the paper's unbalanced and balanced mixes (section 9), and any like them.

Pure functions of the counts. The paper's unbalanced mix takes math that was right exactly once in 16, code and science
that were right at least once; the balanced one takes as many of each domain and fills code and science with prompts
that were never right. The recipes are stages/rl_unbalanced_*.yaml and rl_balanced_*.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism.rl.prompt_draw import drawn
from prism.rl.prompts import RlPrompt

if TYPE_CHECKING:
    from prism.recipe import DifficultyConfig


@dataclass(frozen=True)
class Measured:
    """A prompt of which `correct` of `samples` responses were right; 0 of 0 was not sampled and is never kept."""

    prompt: RlPrompt
    correct: int
    samples: int


@dataclass(frozen=True)
class DomainMix:
    """A rule for one domain.

    keep: how many; None for all within the bounds.
    fill_with_unsolved: whether prompts that were never right fill up to `keep`.
    """

    min_correct: int
    max_correct: int
    keep: int | None = None
    fill_with_unsolved: bool = False


@dataclass(frozen=True)
class Kept:
    """What a rule keeps of a domain, in the order in which it was measured.

    within: prompts within the bounds, before the draw. filled: kept ones that were never right, beyond the bounds.
    """

    prompts: tuple[Measured, ...]
    measured: int
    within: int
    filled: int


def domain_mixes(config: DifficultyConfig, domains: Sequence[str]) -> dict[str, DomainMix]:
    """The recipe's rule for each domain."""
    rules = {}
    for domain in domains:
        own = config.domains.get(domain)
        least, most = config.bounds(domain)
        rules[domain] = (
            DomainMix(least, most) if own is None else DomainMix(least, most, own.keep, own.fill_with_unsolved)
        )
    return rules


def mix(measured: Sequence[Measured], rules: Mapping[str, DomainMix], seed: int) -> dict[str, Kept]:
    """What each domain's rule keeps, see `keep`; domains without one are left out."""
    by_domain: dict[str, list[Measured]] = {domain: [] for domain in rules}
    for one in measured:
        by_domain.setdefault(one.prompt.domain, []).append(one)
    return {domain: keep(by_domain[domain], rule, f"{seed}/mix/{domain}") for domain, rule in rules.items()}


def keep(measured: Sequence[Measured], rule: DomainMix, name: str) -> Kept:
    """One domain's prompts within the bounds, at most `rule.keep` of them, filled up with unsolved ones if it says so.

    Draws are random, named by `name`; they don't depend on the order of the prompts.
    """
    measured = [one for one in measured if one.samples]
    within = [one for one in measured if rule.min_correct <= one.correct <= rule.max_correct]
    chosen = within if rule.keep is None else drawn(within, rule.keep, _prompt, name)
    filled: list[Measured] = []
    if rule.fill_with_unsolved and rule.keep is not None and rule.min_correct > 0:
        unsolved = [one for one in measured if one.correct == 0]
        filled = drawn(unsolved, rule.keep - len(chosen), _prompt, f"{name}/unsolved")
    ids = {id(one) for one in [*chosen, *filled]}
    return Kept(tuple(one for one in measured if id(one) in ids), len(measured), len(within), len(filled))


def _prompt(measured: Measured) -> RlPrompt:
    return measured.prompt
