"""Gold answers of real test sets, written in equivalent forms, and changed into others that are provably unequal."""

from __future__ import annotations

import cmath
import os
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from data_prep.files import read_jsonl

DATA = Path(os.environ.get("PRISM_DATA", Path(__file__).parents[3] / "shared" / "data"))
SETS = {"math500": "math500/test.jsonl", "gsm8k": "gsm8k/test.jsonl", "aime24": "aime24/test.jsonl"}
MISSING = not all((DATA / path).is_file() for path in SETS.values())
WHY_MISSING = f"MATH500, GSM8K and AIME24 aren't in {DATA}; PRISM_DATA names their folder"

_INTEGER = re.compile(r"-?\d+")
_NUMBER = r"-?(?:\d+(?:\.\d+)?|\.\d+)"
_FRACTION = re.compile(r"(-?)\\d?frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))")
_WORD = re.compile(r"\\text\{\(?(\w+)\)?\}")


def golds(name: str) -> list[str]:
    """Answers of a test set as they stand there; GSM8K's are what follows ####."""
    return [str(row["answer"]).rpartition("####")[2].strip() for row in read_jsonl(DATA / SETS[name])]


def number(gold: str) -> Fraction | None:
    """The value of a gold answer that is an integer, decimal or fraction."""
    plain = gold.replace(",\\!", "").replace("\\$", "").replace(" ", "")
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    if re.fullmatch(_NUMBER, plain):
        return Fraction(plain)
    found = _FRACTION.fullmatch(gold)
    if not found:
        return None
    return Fraction(int(found[2] or found[3]), int(found[4] or found[5])) * (-1 if found[1] else 1)


def equivalents(gold: str) -> Iterator[tuple[str, str]]:
    """Name of the form and the answer in it; the forms that a gold answer has depend on what it is."""
    for name, form in _FORMS.items():
        answer = form(gold)
        if answer is not None:
            yield name, answer


def _integer(form: Callable[[str], str]) -> Callable[[str], str | None]:
    """Of integers without a separator."""
    return lambda gold: form(gold) if _INTEGER.fullmatch(gold) else None


def _large(separator: str) -> Callable[[str], str | None]:
    def form(gold: str) -> str | None:
        value = number(gold)
        if value is None or value.denominator != 1 or abs(value) < 1000:
            return None
        return f"{int(value):,}".replace(",", separator)

    return form


def _swap(old: str, new: str) -> Callable[[str], str | None]:
    return lambda gold: re.sub(old, new, gold) if re.search(old, gold) else None


def _slashed(gold: str) -> str | None:
    value = number(gold)
    return f"{value.numerator}/{value.denominator}" if value is not None and "frac" in gold else None


def _decimal(gold: str) -> str | None:
    value = number(gold)
    if value is None or "frac" not in gold:
        return None
    rest = value.denominator
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    return f"{float(value)!r}" if rest == 1 else None


def _as_fraction(gold: str) -> str | None:
    value = number(gold)
    if value is None or "." not in gold:
        return None
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def _doubled(gold: str) -> str | None:
    value = number(gold)
    return None if value is None else f"\\frac{{{2 * value.numerator}}}{{{2 * value.denominator}}}"


def _named(gold: str) -> str | None:
    return None if re.search(r"=|\\in|text|mbox|,|_", gold) else f"x = {gold}"


def _with_unit(unit: str) -> Callable[[str], str | None]:
    return lambda gold: f"{gold}{unit}" if re.fullmatch(_NUMBER, gold.replace(",", "")) else None


def _word(form: str) -> Callable[[str], str | None]:
    def written(gold: str) -> str | None:
        found = _WORD.fullmatch(gold)
        return form.format(found[1]) if found else None

    return written


def _is_expression(gold: str) -> bool:
    """One expression that isn't a number alone."""
    return number(gold) is None and not re.search(r"\\pm|,|=|\\in|\\cup|begin|_|mbox|text|circ|\$|^\d+\s*\\frac", gold)


def _reversed(gold: str) -> str | None:
    """The terms of a sum without brackets, last first."""
    if not _is_expression(gold) or re.search(r"[({\[]", re.sub(r"\\sqrt\{\d+\}", "", gold)):
        return None
    terms = re.findall(r"[-+]?[^-+]+", gold.replace(" ", ""))
    if len(terms) < 2:
        return None
    return "".join(term if term[0] in "+-" else f"+{term}" for term in reversed(terms)).removeprefix("+")


def _two_values(gold: str) -> str | None:
    if "\\pm" not in gold or "{" in gold[:2]:
        return None
    return ", ".join(gold.replace("\\pm", sign) for sign in "-+")


def _spaced(gold: str) -> str | None:
    return None if "text" in gold or "mbox" in gold else re.sub(r"(?<=[\w}])([-+=])(?=[\w\\])", r" \1\\; ", gold)


_FORMS: dict[str, Callable[[str], str | None]] = {
    "itself": lambda gold: gold,
    "boxed in prose": lambda gold: f"Adding up, we find $$\\boxed{{{gold}}}$$ which is what was asked.",
    "boxed after another": lambda gold: f"First $\\boxed{{1}}$; in the end $x = \\boxed{{{gold}}}$.",
    "after ####": lambda gold: f"So much for that.\n#### {gold}",
    "in dollars": lambda gold: f"${gold}$",
    "in parentheses": lambda gold: f"\\( {gold} \\)",
    "displayed": lambda gold: f"\\[\n{gold}\n\\]",
    "with a full stop": lambda gold: f"{gold}.",
    "in a sentence": lambda gold: f"We are done. The answer is ${gold}$.",
    "in bold": lambda gold: f"**Answer:** ${gold}$",
    "blanks around": lambda gold: f"  {gold} \n",
    "thin spaces": _spaced,
    "in braces": lambda gold: f"{{{gold}}}",
    "given to x": _named,
    "dfrac": _swap(r"\\d?frac", r"\\dfrac"),
    "tfrac": _swap(r"\\d?frac", r"\\tfrac"),
    "left and right": lambda gold: (
        re.sub(
            r"([)\]])", r"\\right\1", re.sub(r"([(\[])", r"\\left\1", gold.replace("\\left", "").replace("\\right", ""))
        )
        if gold[0] in "([\\" and re.search(r"[(\[]", gold) and "text" not in gold and "begin" not in gold
        else None
    ),
    "slash": _slashed,
    "decimal": _decimal,
    "fraction of a decimal": _as_fraction,
    "not reduced": _doubled,
    "leading zero": _integer(lambda gold: gold.replace("-", "-0") if gold.startswith("-") else f"0{gold}"),
    "no leading zero": lambda gold: str(int(gold)) if _INTEGER.fullmatch(gold) and gold != str(int(gold)) else None,
    "decimal point": _integer(lambda gold: f"{gold}.0"),
    "a fraction of one": _integer(lambda gold: f"\\frac{{{gold}}}{{1}}"),
    "a sum": _integer(lambda gold: f"{int(gold) - 1}+1"),
    "thousands": _large(","),
    "thousands in braces": _large("{,}"),
    "thousands pulled together": _large(",\\!"),
    "no thousands": lambda gold: (
        str(int(value)) if (value := number(gold)) is not None and "," in gold and value.denominator == 1 else None
    ),
    "unit in text": _with_unit("\\text{ cm}"),
    "unit in mbox with power": _with_unit("\\mbox{ inches}^2"),
    "unit in words": _with_unit(" dollars"),
    "currency": lambda gold: f"\\${gold}" if re.fullmatch(r"[\d,.]+", gold) else None,
    "percent": _integer(lambda gold: f"{gold}\\%"),
    "degree": _integer(lambda gold: f"{gold}^\\circ"),
    "degree in braces": _swap(r"\^\\circ", r"^{\\circ}"),
    "degree in words": _swap(r"\^\\circ", r"\\text{ degrees}"),
    "no degree": _swap(r"\^\\circ", ""),
    "no unit": lambda gold: (
        re.sub(r"\\(?:text|mbox)\{[^{}]*\}(?:\^2)?$", "", gold)
        if re.match(r"[\d.\\]+.*\\(?:text|mbox)\{ ?\w+\}", gold)
        else None
    ),
    "plain word": _word("{}"),
    "word in bold": _word("\\textbf{{{}}}"),
    "word upright": _word("\\mathrm{{{}}}"),
    "word in parentheses": lambda gold: f"({gold[7]})" if re.fullmatch(r"\\text\{\(\w\)\}", gold) else None,
    "root as a power": _swap(r"(?<![\d ])\\sqrt\{(\d+)\}", r"{\1}^{1/2}"),
    "root of a square": _swap(r"\\sqrt\{(\d+)\}", r"\\frac{\1}{\\sqrt{\1}}"),
    "terms reversed": lambda gold: _reversed(gold),
    "minus its negative": lambda gold: f"-(-({gold}))" if _is_expression(gold) else None,
    "plus and minus one": lambda gold: f"{gold} + 1 - 1" if _is_expression(gold) else None,
    "root without braces": _swap(r"\\sqrt\{(\d)\}", r"\\sqrt\1"),
    "pi as a letter": _swap(r"\\pi", "π"),
    "unicode minus": _swap("-(?!$)", "−"),
    "two values": lambda gold: _two_values(gold),
    "base in braces": _swap(r"_\{?(\d)\}?$", r"_{\1}"),
    "base in words": _swap(r"_\{?5\}?$", r"_{\\text{five}}"),
    "brackets of a matrix": _swap(r"\{pmatrix\}", "{bmatrix}"),
    "x in": lambda gold: f"x \\in {gold}" if "cup" in gold else None,
    "times one": lambda gold: (
        f"1 \\cdot ({gold})" if re.fullmatch(r"[-+\d\\sqrt{}fac]+", gold) and "\\" in gold else None
    ),
}


def perturbations(gold: str) -> Iterator[tuple[str, str]]:
    """How the gold answer was changed, and an answer that is provably unequal to it."""
    value = number(gold)
    if value is not None:
        yield from _other_numbers(value)
    elif found := re.fullmatch(r"(-?[\dA-F]+)_\{?(\d+)\}?", gold):
        digits, base = found[1], int(found[2])
        yield "another base", f"{digits}_{{{base + 1}}}"
        yield "no base", digits
        yield "another digit", f"{digits[:-1]}{(int(digits[-1]) + 1) % base}_{base}"
    elif found := re.fullmatch(r"(\d+)(\^\\circ)", gold):
        yield "one more degree", f"{int(found[1]) + 1}{found[2]}"
    elif found := re.fullmatch(r"([\d.]+)\s*(\\(?:mbox|text)\{[^{}]*\})(\^2)?", gold):
        yield "another number", f"{Fraction(found[1]) + 1}{found[2]}{found[3] or ''}"
        yield "another power of the unit", f"{found[1]} {found[2]}^3"
        yield "another unit", f"{found[1]} \\text{{ litres}}"
    elif _WORD.fullmatch(gold):
        yield "another word", "\\text{Zoe}"
        yield "a longer word", gold.replace("}", "x}").replace(")x", "x)")
    else:
        yield from _other_groups(gold)
        yield from _other_expressions(gold)


def _other_numbers(value: Fraction) -> Iterator[tuple[str, str]]:
    def tex(other: Fraction) -> str:
        return str(other) if other.denominator == 1 else f"\\frac{{{other.numerator}}}{{{other.denominator}}}"

    changed = {
        "one more": value + 1,
        "one less": value - 1,
        "other sign": -value,
        "ten times": 10 * value,
        "a thousandth more": value + Fraction(1, 1000),
        "upside down": 1 / value if value else value,
        "digits reversed": Fraction(str(abs(value.numerator))[::-1]),
    }
    for how, other in changed.items():
        if other != value:
            yield how, tex(other)
    rounded = f"{float(value):.6f}"
    if Fraction(rounded) != value:
        yield "rounded", rounded
    if value.denominator == 1:
        yield "or another", f"{tex(value)} \\text{{ or }} {tex(value + 1)}"
        yield "a pair", f"({tex(value)}, {tex(value + 2)})"
        yield "in a base", f"{tex(value)}_8"
        yield "a third more", f"{tex(value)}\\frac{{1}}{{3}}"


def _other_groups(gold: str) -> Iterator[tuple[str, str]]:
    plain = gold.replace("\\left", "").replace("\\right", "").strip()
    if "\\cup" in plain:
        first, _, second = plain.partition("\\cup")
        yield "half of a union", first.strip()
        yield "closed at the end", f"{plain[:-1]}]" if plain.endswith(")") else f"{plain[:-1]})"
        yield "a smaller union", f"{first.strip()} \\cup {second.strip().replace('(', '[', 1)}"
        return
    if plain.startswith("\\begin{pmatrix}"):
        rows = plain.removeprefix("\\begin{pmatrix}").removesuffix("\\end{pmatrix}").split("\\\\")
        if rows != rows[::-1]:
            yield "rows reversed", "\\begin{pmatrix}" + "\\\\".join(rows[::-1]) + "\\end{pmatrix}"
        yield "a row more", "\\begin{pmatrix}" + "\\\\".join([*rows, rows[0]]) + "\\end{pmatrix}"
        if len(rows) > 1 and "&" not in plain:
            yield "a row for a column", "\\begin{pmatrix}" + "&".join(rows) + "\\end{pmatrix}"
        return
    brackets = plain[:1] in ("(", "[") and plain[-1:] in (")", "]") and "," in plain and "(" not in plain[1:]
    inner = plain[1:-1] if brackets else plain
    parts = [part.strip() for part in inner.split(",")]
    if len(parts) < 2 or plain.startswith(("x \\in", "\\{")):
        return
    opens, closes = (plain[0], plain[-1]) if brackets else ("", "")
    yield "one more", f"{opens}{inner}, 77{closes}"
    yield "one less", f"{opens}{', '.join(parts[:-1])}{closes}"
    if parts[0] != parts[-1]:
        yield "ends swapped", f"{opens}{', '.join([parts[-1], *parts[1:-1], parts[0]])}{closes}"
    yield (
        "last one greater",
        f"{opens}{', '.join([*parts[:-1], parts[-1] + '+1'])}{closes}"
        if "infty" not in parts[-1]
        else f"{opens}{parts[0]}+1, {parts[-1]}{closes}",
    )
    if brackets:
        yield "a set", f"\\{{{inner}\\}}"
        if len(parts) == 2:
            yield "another opening", f"{'[' if opens == '(' else '('}{inner}{closes}"
            yield "another closing", f"{opens}{inner}{']' if closes == ')' else ')'}"


def _other_expressions(gold: str) -> Iterator[tuple[str, str]]:
    if re.search(r"\\pm|,|\\in|\\cup|begin|_|mbox|text", gold):
        return
    if "=" in gold:
        yield "one more", f"{gold} + 1" if not gold.endswith("= 0") else gold.replace("= 0", "= 1")
        return
    yield "one more", f"{gold} + 1"
    yield "a little more", f"{gold} + \\frac{{1}}{{1000}}"
    yield "other sign", f"-({gold})"  # no such answer is 0
    yield "twice", f"2({gold})"
    ours = evaluate(gold)
    for place in re.finditer(r"\d+", gold):
        other = f"{gold[: place.start()]}{int(place[0]) + 1}{gold[place.end() :]}"
        theirs = evaluate(other)
        if ours is not None and theirs is not None and abs(ours - theirs) > 1e-6:
            yield "another number", other
    if ours is not None and ours.imag == 0:
        yield "rounded", f"{ours.real:.3f}"
    for letter in set(re.findall(r"(?<![\\A-Za-z])[a-zA-Z](?![A-Za-z])", gold)) - {"i", "e"}:
        yield "another letter", re.sub(rf"(?<![\\A-Za-z]){letter}(?![A-Za-z])", "w", gold)


def evaluate(tex: str) -> complex | None:
    """The value of roots, fractions, pi and i by Python's own arithmetic, not by what is tested; None for all else."""
    text = tex.replace(" ", "").replace("\\dfrac", "\\frac")
    if re.search(r"\d\\frac\{?\d", text):
        return None  # a mixed number
    text = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac(\d)\{", r"\\frac{\1}{", text)
    text = re.sub(r"\\sqrt(\d)", r"\\sqrt{\1}", text)
    for _ in range(4):
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"<root(\1)>", text)
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"<((\1)/(\2))>", text)
    text = text.replace("\\pi", "<pi>")
    text = re.sub(r"(?<![a-z])i(?![a-z])", "<1j>", text)
    text = re.sub(r"(?<=[\d>)])<", "*", text).replace("<", "").replace(">", "")
    text = re.sub(r"(?<=[\d)])\(", "*(", text)
    if "\\" in text or re.search(r"[A-Za-z]", text.replace("root", "").replace("pi", "").replace("1j", "")):
        return None
    try:
        return complex(eval(text, {"root": cmath.sqrt, "pi": cmath.pi}))
    except (SyntaxError, TypeError, ZeroDivisionError):
        return None
