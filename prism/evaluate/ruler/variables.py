"""Variable tracking."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prism.evaluate.ruler.draft import Draft
from prism.evaluate.ruler.haystack import Units, essay, hide, noise, spread_depth
from prism.evaluate.ruler.settings import VariablesTest
from prism.evaluate.ruler.words import Distinct

_EXAMPLE_UNITS = 5
_NAME_LETTERS = 5


def variables(test: VariablesTest, index: int, generator: random.Random, text: Sequence[str]) -> Draft:
    """Chains of assignments in a haystack, each chain in its order; all names of the first are expected.

    Args:
        text: sentences of the essay.
    """
    known = "\n".join([test.noise, *text, test.assignment, test.reference, test.prompt])
    names = Distinct(_names(test, generator), known)
    values = Distinct(_values(test, generator), known)
    solved = "".join(_example(test, generator, names, values) for _ in range(test.examples))
    chains = [_chain(test, names, values) for _ in range(test.chains)]
    hidden: list[str] = []
    depths: list[float] = []
    for number, chain in enumerate(chains):
        places = sorted(generator.random() for _ in chain.sentences)
        if number == 0:  # the first assignments of a run of prompts lie evenly over the front half
            places[0] = min(spread_depth(index) / 2, places[1])
        hidden += chain.sentences
        depths += places
    hay: Units = noise(test.noise) if test.haystack == "noise" else essay(text, generator)
    joint = "\n" if test.haystack == "noise" else " "
    first = chains[0]

    def write(units: int) -> str:
        return solved + _ask(test, joint.join(hide(hay(units), hidden, depths)), first)

    return Draft(first.names, tuple(depths[: len(first.names)]), write)


def _names(test: VariablesTest, generator: random.Random) -> Callable[[], str]:
    if test.name_words:
        return lambda: generator.choice(test.name_words)
    return lambda: "".join(generator.choices(string.ascii_uppercase, k=_NAME_LETTERS))


def _values(test: VariablesTest, generator: random.Random) -> Callable[[], str]:
    if test.value_words:
        return lambda: generator.choice(test.value_words)
    return lambda: str(generator.randrange(10**4, 10**5))


@dataclass(frozen=True)
class _Chain:
    """Names that one value is handed on to, and the sentences that do so."""

    names: tuple[str, ...]
    value: str
    sentences: tuple[str, ...]


def _chain(test: VariablesTest, names: Distinct, values: Distinct) -> _Chain:
    its, value = [names.draw() for _ in range(test.hops + 1)], values.draw()
    told = [test.assignment.format(name=its[0], value=value)]
    told += [test.reference.format(name=its[hop + 1], other=its[hop]) for hop in range(test.hops)]
    return _Chain(tuple(its), value, tuple(told))


def _ask(test: VariablesTest, context: str, chain: _Chain) -> str:
    return test.prompt.format(context=context, query=chain.value, count=len(chain.names))


def _example(test: VariablesTest, generator: random.Random, names: Distinct, values: Distinct) -> str:
    """A small text with one chain, and its answer. Its names and value are none of the prompt's own."""
    chain = _chain(test, names, values)
    depths = sorted(generator.random() for _ in chain.sentences)
    context = "\n".join(hide(noise(test.noise)(_EXAMPLE_UNITS), chain.sentences, depths))
    return f"{_ask(test, context, chain)} {' '.join(chain.names)}\n"
