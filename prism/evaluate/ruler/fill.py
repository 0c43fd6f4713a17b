"""The largest haystack that fits."""

from __future__ import annotations

from collections.abc import Callable


def largest_fit(size: Callable[[int], int], room: int, least: int = 0, most: int | None = None) -> int | None:
    """A number of units n with size(n) <= room < size(n + 1), or `most`; None where even `least` doesn't fit.

    `size` should grow with n; where it wavers (a tokenizer may need fewer tokens for more text), the result still
    fits. It is asked seldom, for a size may take seconds: guesses go up by proportion, then by halves between bounds.
    """
    smallest = size(least)
    if smallest > room:
        return None
    fits, fitting, beyond = least, smallest, least if most is None else most + 1
    step = 1
    while most is None or fits < most:  # find a bound that doesn't fit
        trial = fits + step if most is None else min(fits + step, most)
        tokens = size(trial)
        if tokens > room:
            beyond, too_many = trial, tokens
            break
        per_unit = (tokens - smallest) / (trial - least)
        fits, fitting = trial, tokens
        step = max(2 * step, int((room - tokens) / per_unit * 1.02) if per_unit > 0 else 0)
    else:
        return fits
    even = False
    while beyond - fits > 1:
        share = 0.5 if even else (room - fitting) / (too_many - fitting)
        even = not even
        trial = min(max(fits + int((beyond - fits) * share), fits + 1), beyond - 1)
        tokens = size(trial)
        if tokens > room:
            beyond, too_many = trial, tokens
        else:
            fits, fitting = trial, tokens
    return fits
