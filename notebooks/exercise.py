"""What the notebooks' exercises need: a check of an answer, and a picture of a graph."""

from collections.abc import Mapping
from fractions import Fraction
from numbers import Number
from typing import Any

import numpy as np
import sympy as sp

from notebooks.answers import EXERCISES
from theory.names import unknown

OPEN = "Write your answer in place of the three dots, and run this cell again."


def check(name: str, answer: Any, *given: Any) -> None:
    """Prints whether an answer is right, or what to do about it; nothing else happens.

    Args:
        name: Which exercise, for instance "law 1".
        answer: A number or a truth value; `...` while there is none.
        *given: What the question is about, where that is the reader's own.

    Raises:
        ValueError: If there is no such exercise.
    """
    if name not in EXERCISES:
        raise ValueError(unknown("exercise", name, EXERCISES))
    exercise = EXERCISES[name]
    print(OPEN if answer is ... else _judged(answer, exercise.right(*given), exercise.hint))


def _judged(answer: Any, right: Any, hint: str) -> str:
    if isinstance(right, bool):
        if not isinstance(answer, bool | np.bool_):
            return f"The answer is True or False, not {_kind(answer)}."
        return "Right." if bool(answer) is right else f"Not yet. {hint}"
    if isinstance(answer, bool | np.bool_) or not isinstance(answer, Number | sp.Expr):
        return f"The answer is a number, such as 0.25 or Rational(1, 4), not {_kind(answer)}."
    if isinstance(answer, sp.Expr) and answer.free_symbols:
        left = ", ".join(sorted(map(str, answer.free_symbols)))
        return f"The answer is a number: put one in place of {left}."
    value = sp.Rational(answer) if isinstance(answer, Fraction) else sp.sympify(answer)
    if not value.is_finite:
        return f"The answer is a number that is finite, not {answer}."
    gap, size = abs(sp.N(value - sp.sympify(right))), 1 + abs(sp.N(right))
    if gap <= 1e-9 * size:
        return "Right."
    if gap <= 0.01 * size:
        return "Nearly: give it as a fraction, or with all its digits."
    return f"Not yet. {hint}"


def _kind(answer: Any) -> str:
    """What an answer of the wrong kind is, in words."""
    if isinstance(answer, str):
        return "text: leave out the quotation marks"
    if isinstance(answer, bool | np.bool_):
        return "a truth value"
    if isinstance(answer, Number | sp.Expr):
        return "a number"
    return "nothing" if answer is None else f"a {type(answer).__name__}"


def draw(graph: Mapping[Any, tuple[Any, ...]], shares: Mapping[Any, Any] | None = None) -> Any:
    """A picture of a feedforward graph, inputs on the left; `shares` are written beside them."""
    from matplotlib import pyplot as plt

    level: dict[Any, int] = {}

    def depth(node: Any) -> int:
        if node not in level:
            level[node] = 1 + max((depth(read) for read in graph[node]), default=-1)
        return level[node]

    columns: dict[int, list[Any]] = {}
    for node in graph:
        columns.setdefault(depth(node), []).append(node)
    place = {
        node: (x, i - (len(nodes) - 1) / 2 + 0.15 * (x % 2))
        for x, nodes in columns.items()
        for i, node in enumerate(nodes)
    }
    figure, axes = plt.subplots(figsize=(5, 2.6))
    for node, read in graph.items():
        for source in read:
            axes.annotate(
                "", place[node], place[source],
                arrowprops={"arrowstyle": "->", "shrinkA": 10, "shrinkB": 10, "color": "grey"},
            )  # fmt: skip
    for node, (x, y) in place.items():
        axes.plot(x, y, "o", markersize=17, color="white", markeredgecolor="#0072B2")
        axes.text(x, y, str(node), ha="center", va="center")
        if shares and node in shares:
            axes.text(x - 0.15, y, str(shares[node]), ha="right", va="center", color="#D55E00")
    axes.margins(0.2)
    axes.set_axis_off()
    plt.close(figure)
    return figure
