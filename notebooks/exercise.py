"""What the notebooks' exercises need: a check of an answer, and a picture of a graph."""

from collections.abc import Mapping
from typing import Any

import sympy as sp


def check(answer: Any, right: Any, tolerance: float = 1e-9) -> None:
    """Compare an answer with the right one, a number or a truth value.

    Says what to do while the answer is still `...`. Raises AssertionError for a wrong one.
    """
    if answer is ...:
        print("Write your answer in place of the three dots, and run this cell again.")
        return
    if isinstance(right, bool):
        assert answer is right, "Not yet: look at it once more."
    else:
        gap = abs(sp.N(sp.sympify(answer) - sp.sympify(right)))
        assert gap <= tolerance * (1 + abs(sp.N(right))), "Not yet: look at it once more."
    print("Right.")


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
