"""Expressions that need no sandbox: whole numbers, one variable, + - * / // %, parentheses.

They are computed by walking their syntax tree, so nothing of a program's making runs. Their length bounds the size of
what they can compute.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Sequence

_MOST_CHARACTERS = 200
_PLAIN = re.compile(r"[0-9a-z_+\-*/%() ]*")
_TWO: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_ONE: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


class NotArithmetic(Exception):
    """The expression has to be run like any program."""


def evaluate(expression: str, variable: str, inputs: Sequence[int]) -> list[float | int | None]:
    """Its value for each value of the variable; None where Python would raise an exception.

    Raises:
        NotArithmetic: it holds something else, or inputs aren't whole numbers.
    """
    if len(expression) > _MOST_CHARACTERS or not _PLAIN.fullmatch(expression):
        raise NotArithmetic
    if not all(type(value) is int for value in inputs):
        raise NotArithmetic
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "2x" is a SyntaxWarning in some versions, an error in others
            tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return [None] * len(inputs)
    return [_attempt(tree, variable, value) for value in inputs]


def _attempt(tree: ast.expr, variable: str, value: int) -> float | int | None:
    try:
        return _value(tree, variable, value)
    except (ArithmeticError, NameError):
        return None


def _value(node: ast.expr, variable: str, value: int) -> float:
    match node:
        case ast.Constant(value=int() as number) if type(number) is int:
            return number
        case ast.Name(id=name):
            if name != variable:
                raise NameError(name)
            return value
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _ONE:
            return _ONE[type(op)](_value(operand, variable, value))
        case ast.Call(func=function):
            _value(function, variable, value)
            raise ArithmeticError("a number can't be called")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _TWO:
            return _TWO[type(op)](_value(left, variable, value), _value(right, variable, value))
    raise NotArithmetic
