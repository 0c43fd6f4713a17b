"""What to do about a blend that repeats a source too often, computed. Standard library only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_DECIMALS = (4, 6, 8, 10, 12)
_NOT_NAMES = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@dataclass(frozen=True)
class Refusal:
    """Why a blend is refused, and each way out of it.

    `epochs` are those of the repeated sources; `capped` is None where no blend of these sources would do, and
    `reachable_tokens` what they hold together, each repeated as often as is allowed. `largest_budget` are the tokens
    that fit the weights as they are, `needed_epochs` the least max_epochs that allows the plan.
    """

    blend: str
    weights: Mapping[str, float]
    max_epochs: float
    epochs: Mapping[str, float]
    budget_tokens: int
    capped: Mapping[str, float] | None
    reachable_tokens: int
    largest_budget: int
    needed_epochs: float

    @property
    def message(self) -> str:
        seen = ", ".join(f"{name} {epochs:.2f} times" for name, epochs in self.epochs.items())
        return f"would be seen more than {self.max_epochs:g} times (data.max_epochs): {seen}"

    @property
    def too_small(self) -> str:
        """Why capping doesn't work."""
        return (
            f"capping can't work: all sources together give {self.reachable_tokens:,} tokens at {self.max_epochs:g} "
            f"epochs, {self.budget_tokens:,} are wanted"
        )

    def yaml(self, indent: str = "") -> str | None:
        """The capped blend, ready to take the place of the old one; None where capping can't work."""
        if self.capped is None:
            return None
        lines = ["data:", "  blends:", f"    {_key(self.blend)}:"]
        for name, weight in self.capped.items():
            old = self.weights[name]
            line = f"      {_key(name)}: {_written(weight)}"
            lines.append(line if math.isclose(weight, old, abs_tol=1e-9) else f"{line}  # was {_written(old)}")
        return "".join(f"{indent}{line}\n" for line in lines)

    def smaller_budget(self, tokens_per_step: int | None = None) -> str:
        if not self.largest_budget:
            return "no smaller budget fits these weights"
        steps = f", {self.largest_budget // tokens_per_step:,} steps" if tokens_per_step else ""
        return f"train on at most {self.largest_budget:,} tokens of it{steps}"

    def more_epochs(self) -> str:
        return f"set data.max_epochs to {_written(self.needed_epochs)}"

    def remedy(self, tokens_per_step: int | None = None) -> str:
        """The ways out, a line each."""
        capped = self.too_small
        if self.capped is not None:
            weights = ", ".join(f"{_key(name)}: {_written(weight)}" for name, weight in self.capped.items())
            capped = f"cap and spread the rest:\n  data: {{blends: {{{_key(self.blend)}: {{{weights}}}}}}}"
        ways = (capped, self.smaller_budget(tokens_per_step), self.more_epochs())
        return "one of\n" + "\n".join(f"({letter}) {way}" for letter, way in zip("abc", ways, strict=True))


def refusal(
    blend: str,
    weights: Mapping[str, float],
    domains: Mapping[str, str],
    available: Mapping[str, int],
    budget_tokens: int,
    max_epochs: float,
) -> Refusal | None:
    """None where no source is seen more than `max_epochs` times. `weights` are by source, in percent."""
    tokens = {name: tokens_at(weight, budget_tokens) for name, weight in weights.items()}
    epochs = {name: tokens[name] / available[name] for name in weights}
    repeated = {name: value for name, value in epochs.items() if value > max_epochs}
    if not repeated:
        return None
    allowed = {name: _allowed(available[name], max_epochs) for name in weights}
    reachable = sum(allowed.values())
    capped = None
    if reachable >= budget_tokens:
        caps = {name: count / budget_tokens * 100 for name, count in allowed.items()}
        capped = rounded(cap_weights(weights, domains, caps), caps)
    return Refusal(
        blend=blend,
        weights=weights,
        max_epochs=max_epochs,
        epochs=repeated,
        budget_tokens=budget_tokens,
        capped=capped,
        reachable_tokens=reachable,
        largest_budget=largest_budget(weights, allowed),
        needed_epochs=_up(max(epochs.values())),
    )


def tokens_at(weight_percent: float, budget_tokens: int) -> int:
    """What a source gives at a budget."""
    return round(weight_percent / 100 * budget_tokens)


def cap_weights(
    weights: Mapping[str, float], domains: Mapping[str, str], caps: Mapping[str, float]
) -> dict[str, float]:
    """Nobody above its cap; what is freed goes to the same domain in proportion to the weights, then to all.

    Args:
        weights: percent by source.
        caps: percent by source; together at least as much as the weights.
    """
    filled: dict[str, float] = {}
    for domain in dict.fromkeys(domains[name] for name in weights):
        members = {name: weight for name, weight in weights.items() if domains[name] == domain}
        filled |= _fill(members, caps, sum(members.values()))
    everywhere = _fill(filled, caps, sum(weights.values()))
    return {name: everywhere[name] for name in weights}


def largest_budget(weights: Mapping[str, float], allowed: Mapping[str, int]) -> int:
    """The most tokens at which no source gives more than it is allowed to."""
    budget = min(math.floor(allowed[name] / weight * 100) for name, weight in weights.items())
    while budget > 0 and any(tokens_at(weight, budget) > allowed[name] for name, weight in weights.items()):
        budget -= 1
    return budget


def rounded(weights: Mapping[str, float], caps: Mapping[str, float]) -> dict[str, float]:
    """Weights as a person writes them: few decimals, the same sum, nobody above its cap or at 0.

    A source whose cap is 0 is left out.
    """
    kept = {name: weight for name, weight in weights.items() if caps[name] > 0}
    total = sum(weights.values())
    for decimals in _DECIMALS:
        unit = 10**decimals
        units = {name: math.floor(weight * unit) for name, weight in kept.items()}
        missing = round(total * unit) - sum(units.values())
        by_loss = sorted(kept, key=lambda name: units[name] - kept[name] * unit)
        while missing > 0:
            room = [name for name in by_loss if (units[name] + 1) / unit <= caps[name]][:missing]
            if not room:
                break
            for name in room:
                units[name] += 1
            missing -= len(room)
        if all(units.values()) and missing == 0:
            return {name: count / unit for name, count in units.items()}
    return kept


def _fill(weights: Mapping[str, float], caps: Mapping[str, float], total: float) -> dict[str, float]:
    """min(cap, factor x weight) with the factor at which they sum to `total`, or the caps where they don't reach it."""
    order = sorted((name for name in weights if weights[name] > 0), key=lambda name: caps[name] / weights[name])
    filled = dict.fromkeys(weights, 0.0)
    left = total
    for index, name in enumerate(order):
        factor = left / math.fsum(weights[later] for later in order[index:])
        if factor * weights[name] <= caps[name]:
            return filled | {later: factor * weights[later] for later in order[index:]}
        filled[name] = caps[name]
        left -= caps[name]
    return filled


def _allowed(available: int, max_epochs: float) -> int:
    """The most tokens t with t / available <= max_epochs."""
    tokens = math.floor(available * max_epochs)
    while tokens / available > max_epochs:
        tokens -= 1
    return tokens


def _up(value: float) -> float:
    """Rounded up to hundredths."""
    hundredths = math.ceil(value * 100)
    return (hundredths if hundredths / 100 >= value else hundredths + 1) / 100


def _key(name: str) -> str:
    """A name as a YAML key: quoted where it would be read as something else."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) and name.lower() not in _NOT_NAMES
    return name if plain else json.dumps(name)


def _written(weight: float) -> str:
    return f"{weight:.12f}".rstrip("0").rstrip(".")
