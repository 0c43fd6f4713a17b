"""How figures are written. A figure that doesn't exist is a dash."""

from __future__ import annotations

import math

NONE = "–"
MINUS = "−"


def decimal(value: float | None, digits: int = 1) -> str:
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction, in percent, without the sign."""
    return decimal(None if fraction is None else 100 * fraction, digits)


def signed(value: float | None, digits: int = 1) -> str:
    """+3.0 or −3.0; what rounds to nothing has no sign."""
    text = decimal(value, digits)
    if text == NONE or text.startswith(MINUS):
        return text.removeprefix(MINUS) if text.strip(f"{MINUS}0.") == "" else text
    return text if text.strip("0.") == "" else f"+{text}"


def significant(value: float | None, digits: int = 3) -> str:
    """So many significant digits, as a person would write them: 0.0208, 16.3, 1,234, 3.0e-7."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    return f"{value:,.{max(0, digits - 1 - size)}f}".replace("-", MINUS)


def short(value: float | None) -> str:
    """A count with a unit prefix: 512, 12.3k, 1.05M, 26.2B."""
    if value is None:
        return NONE
    for bound, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= bound:
            scaled = value / (1e3 if letter == "k" else bound)
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{letter}"
    return f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """41 s, 3 min 20 s, 2 h 05 min."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
