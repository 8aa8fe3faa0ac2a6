"""The right answers of the exercises, computed by the project, and a hint where one is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from theory import architectures, predict
from theory.laws import norms
from theory.statements import graphs


@dataclass(frozen=True)
class Exercise:
    """A question of a notebook."""

    right: Callable[..., Any]
    """The right answer, a number or a bool, of what `check` is given beside the reader's answer."""
    hint: str
    """What to think of, where an answer is wrong."""


def _smallest(bound: float) -> int:
    law = predict(architectures.mlp(width=32, init="glorot"), q=1)
    sizes = [2**k for k in range(2, 15)]
    slopes = np.array([law.slope((d, 4 * d)) for d in sizes], float)
    return sizes[int(np.argmax(slopes <= bound))]


def _energy(network: Any) -> Any:
    return predict(network, q=2).second_moment


EXERCISES: Mapping[str, Exercise] = {
    "law 1": Exercise(
        lambda: predict(architectures.mlp(width=64, depth=3), q=3).exponent,
        "The exponent is 1/q − 1/2, and here q = 3.",
    ),
    "law 2": Exercise(
        lambda: sp.sqrt(sp.Integer(3 * 128**2) / (3 * 32**2)),
        "By how much does d grow? The damage grows like its square root.",
    ),
    "law 3": Exercise(
        lambda: (
            _energy(architectures.mlp(width=64, depth=3, init="lecun"))
            / _energy(architectures.mlp(width=64, depth=3))
        ),
        "Half of He's variance where a ReLU follows; and in the last layer, where none does?",
    ),
    "proof 1": Exercise(
        lambda graph: graphs.path_sums(graph, "f")["x1"],
        "Start at f: with which probability does the walk end at x1, at once or by way of h?",
    ),
    "proof 2": Exercise(
        graphs.is_symmetric,
        "Write down the in-degrees along every path of two inputs, and compare.",
    ),
    "proof 3": Exercise(
        lambda: 2 / (1 + sp.Rational(1, 9)),
        "Half of the time the unit multiplies by 1, else by a: what is the mean of its square?",
    ),
    "break 1": Exercise(
        lambda: predict(architectures.mlp(width=32, init="constant"), q=1).exponent,
        "The gain of the first layer is d times the variance. What does that do to the norm?",
    ),
    "break 2": Exercise(
        lambda: sp.sqrt(
            _energy(architectures.cnn(width=8, head="avgpool"))
            / _energy(architectures.cnn(width=8, head="dense"))
        ),
        "An average of four numbers has a quarter of the energy; the norm is its root.",
    ),
    "break 3": Exercise(
        lambda: _smallest(0.6), "Try 4, 8, 16, … until the slope is at most 0.6: give that d."
    ),
    "certainty 1": Exercise(
        lambda law: law.seeds_needed(0.01),
        "Put relative_variance() into the formula, and round up to a whole number.",
    ),
    "certainty 2": Exercise(
        lambda law: law.dead, "With which probability is one layer closed? And none of eight?"
    ),
    "certainty 3": Exercise(
        lambda table: bool(table[8, 8, 16][0] >= 0.94), "Look at the table that you printed."
    ),
    "attacks 1": Exercise(
        lambda: max(
            norms.damage([sp.Integer(3), sp.Integer(-4), sp.Integer(0)], p, 1)
            for p in (1, 2, sp.oo)
        ),
        "The damage is ε times the dual norm of g: compute it for q = ∞, 2 and 1.",
    ),
    "attacks 2": Exercise(lambda: norms.dual(3), "1/p + 1/q = 1."),
    "attacks 3": Exercise(
        lambda: norms.attack_size(1, 2, sp.Integer(100)) * 100 ** (1 / norms.dual(2) - sp.S.Half),
        "ε_p grows like d^(1/p), the norm like d^(1/q − 1/2): multiply.",
    ),
}
