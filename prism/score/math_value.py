"""One value of a math answer: its number where it is rational, its unit, the base it is written in, or its word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from prism.score.math_text import split, squeeze


@dataclass(frozen=True)
class Value:
    """A value, and what is written around it.

    body: the expression alone, without blanks that mean nothing.
    whole: the same with the name that it is given to, if any.
    number: its value where that is written as a rational number.
    unit: with its power, such as cm^2; empty without one.
    base: subscript of a number written in another base.
    word: in lower case, of an answer in words.
    name: what it is given to, such as x in x = 5.
    equation: it is an equation or inequality, not a value given to a name.
    """

    body: str
    whole: str
    number: Fraction | None = None
    unit: str = ""
    base: str = ""
    word: str = ""
    name: str = ""
    equation: bool = False


def read_value(text: str) -> Value:
    """Takes one value apart; `text` is tidy (see prism.score.math_text)."""
    name, text, equation = _named(text)
    whole = squeeze(f"{name} = {text}" if name else text)
    if equation:
        return Value(whole, whole, equation=True)
    if word := _word(text):
        return Value(squeeze(text), whole, word=word, name=name)
    if based := _BASED.fullmatch(squeeze(text)):
        base = _base(based[2] or based[3])
        return Value(based[1], whole, base=base, name=name)
    text, unit = _without_unit(text)
    body = squeeze(text)
    return Value(body, whole, number=read_number(body), unit=unit, name=name)


def read_number(body: str) -> Fraction | None:
    """A rational number: an integer, decimal, fraction, mixed number, or with a power of ten. None for all else."""
    if match := _FRACTION.fullmatch(body):
        sign, integer = match["sign"], match["whole"] or match["blank"]
        upper, lower = match["u1"] or match["u2"], match["l1"] or match["l2"]
        lower_value = Fraction(lower)
        if not lower_value:
            return None
        value = Fraction(upper) / lower_value
        if integer:
            if not (upper.isdigit() and lower.isdigit() and value < 1):
                return None
            value += int(integer)
        return -value if sign == "-" else value
    if match := _POWER_OF_TEN.fullmatch(body):
        return Fraction(match[1]) * Fraction(10) ** int(match[2])
    return Fraction(body) if _DECIMAL.fullmatch(body) else None


def equal_numbers(gold: Value, answer: Value) -> bool:
    """Whether both are the same rational number. A percent sign is a unit, or divides by 100."""
    return gold.number == answer.number or _share(gold) == _share(answer)


def exact_body(value: Value) -> str:
    """The expression, a decimal as the fraction that it is: as a float it would equal what it only rounds."""
    if value.number is None or "." not in value.body:
        return value.body
    return f"\\frac{{{value.number.numerator}}}{{{value.number.denominator}}}"


def equal_units(gold: Value, answer: Value) -> bool:
    """Whether both have the same unit; one of them may leave it out."""
    return gold.unit == answer.unit or not gold.unit or not answer.unit


_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_DECIMAL = re.compile(rf"[-+]?{_NUMBER}", re.ASCII)
_FRACTION = re.compile(
    rf"(?P<sign>[-+]?)(?:(?P<whole>\d+) ?(?=\\)|(?P<blank>\d+) )?"
    rf"(?:\\frac\{{(?P<u1>[-+]?{_NUMBER})\}}\{{(?P<l1>[-+]?{_NUMBER})\}}|(?P<u2>{_NUMBER})/(?P<l2>{_NUMBER}))",
    re.ASCII,
)
_POWER_OF_TEN = re.compile(rf"([-+]?{_NUMBER})(?:\\times|\\cdot|\*)10\^(?:\{{)?([-+]?\d{{1,3}})(?:\}})?", re.ASCII)
_NAME = re.compile(r"\\?[A-Za-z]+(?:_(?:\{\w+\}|\w))?'?(?:\([A-Za-z](?:,[A-Za-z])*\))?")
_RELATION = re.compile(r"[<>]|\\(?:le|ge|ne|neq|lt|gt)(?![A-Za-z])")
_BASED = re.compile(r"(-?\d[0-9A-Z]*(?:\.[0-9A-Z]+)?)_(?:\{([^{}]*(?:\{[^{}]*\})?)\}|(\w))", re.ASCII)
_BASES = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "sixteen": "16",
}  # fmt: skip
_POWER = r"(?:\s?\^\s?(?:\{[^{}]*\}|\d))?"
_TEXT_UNIT = re.compile(rf"(.*?)((?:\s?(?:/|\\cdot)?\s?\\text\s?\{{[^{{}}]*\}}{_POWER})+)", re.DOTALL)
_KNOWN = (
    "cm|mm|km|kg|mg|ml|m|in|ft|yd|mi|lb|oz|hr|hrs|min|mins|sec|secs|mph|degrees?|percent|dollars?|cents?|inch(?:es)?|"
    "feet|foot|meters?|units?|hours?|minutes?|seconds?|days?|weeks?|years?"
)
_PLAIN_UNIT = re.compile(
    rf"(.*\d)(?: ((?:[A-Za-z]{{3,}}|{_KNOWN})(?: [A-Za-z]{{2,}})*{_POWER})| ?((?:{_KNOWN}){_POWER}))"
)
_UNIT_NAMES = {
    "inches": "inch", "in": "inch", "feet": "foot", "ft": "foot", "centimeter": "cm", "millimeter": "mm",
    "kilometer": "km", "meter": "m", "kilogram": "kg", "hr": "hour", "sec": "second", "min": "minute", "unit": "",
    "yd": "yard", "mile": "mi", "pound": "lb", "ounce": "oz",
}  # fmt: skip
_WORDS = re.compile(r"[A-Za-z][A-Za-z' -]*")
_FUNCTIONS = re.compile(r"(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|arc)")
_SHORT_WORDS = {"yes", "no", "odd", "one", "two", "six", "ten"}
_ONLY_TEXT = re.compile(r"\\text\s?\{([^{}]*)\}")


def _named(text: str) -> tuple[str, str, bool]:
    """Name, what it is given, and whether the text is an equation of another kind."""
    parts = split(text, "=")
    if len(parts) == 1:
        return "", text, bool(_RELATION.search(text))
    if "" in parts or _RELATION.search(text):
        return "", text, True
    names = [bool(_NAME.fullmatch(squeeze(part))) for part in parts]
    if names[0]:
        return squeeze(parts[0]), parts[-1], False
    if len(parts) == 2 and names[1]:
        return squeeze(parts[1]), parts[0], False
    return "", text, True


def _word(text: str) -> str:
    only = _ONLY_TEXT.fullmatch(text)
    if only:
        return " ".join(only[1].casefold().split()).strip("(). ")
    if _WORDS.fullmatch(text) and not _FUNCTIONS.match(text):
        longest = max(len(word) for word in re.split(r"[ '-]", text))
        if longest >= 4 or text.casefold() in _SHORT_WORDS:
            return " ".join(text.casefold().split())
    return ""


def _share(value: Value) -> Fraction | None:
    return value.number / 100 if value.number is not None and value.unit == "percent" else value.number


def _base(text: str) -> str:
    inner = _ONLY_TEXT.sub(r"\1", text).strip().casefold()
    return _BASES.get(inner, inner)


def _without_unit(text: str) -> tuple[str, str]:
    if match := re.fullmatch(r"(-?)\s?\\\$\s?(.*)", text, re.DOTALL):
        bare, _ = _without_unit(match[2])
        return f"{match[1]}{bare}", "dollar"
    if match := re.fullmatch(r"(.*[^\s\\])\s?\\?%", text, re.DOTALL):
        return match[1], "percent"
    if match := re.fullmatch(r"(.*\S)\s?\\degree", text, re.DOTALL):
        return match[1], "degree"
    if (match := _TEXT_UNIT.fullmatch(text)) and match[1].strip():
        return match[1].strip(), _unit(match[2])
    if (match := _PLAIN_UNIT.fullmatch(text)) and read_number(squeeze(match[1])) is not None:
        return match[1].strip(), _unit(match[2] or match[3])
    return text, ""


def _unit(text: str) -> str:
    """Singular, in one spelling, its power behind it: square inches and in.^2 are inch^2."""
    text = re.sub(r"\\text\s?\{([^{}]*)\}", r"\1", text).casefold()
    text = re.sub(r"[\s.{}]+", " ", text).strip()
    text = re.sub(r"^(?:square|sq)\s+(.*)$", r"\1^2", text)
    text = re.sub(r"^cubic\s+(.*)$", r"\1^3", text)
    name, _, power = text.replace(" ", "").partition("^")
    if name not in _UNIT_NAMES and len(name) > 2 and name.endswith("s"):
        name = name[:-1]
    name = _UNIT_NAMES.get(name, name)
    return f"{name}^{power}" if name and power else name
