"""How a backward pass is decoupled, at which places, and what is found there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array, Float, Key

from sim.independence.source import Source


@dataclass(frozen=True)
class Place:
    """Where weights, or the masks of a ReLU, multiply a signal."""

    kind: Literal["weights", "mask"]
    source: Source
    scope: str
    """Names of the modules or layers around it (`jax.named_scope`)."""
    shape: tuple[int, ...]
    """Of the output for all inputs of a batch."""
    leaves: frozenset[int] | None = None
    """The weights that it reads, as in `Weight`."""


@dataclass(frozen=True)
class Backward:
    """Which places use copies, and coins, in the backward pass; the default is all copies."""

    copies_from: Any = 0
    """The first place of weights that uses copies: an integer, or an array for a traced one."""
    coins_from: Any = None
    """The first place of masks that uses fair coins; None: no place does, and none is listed."""
    key: Key[Array, ""] | None = None
    """Of the coins."""
    taps: Float[Array, "places 4"] | None = None
    """Zeros, whose gradient tells of each place: the energy ‖g‖₂² behind it, that in front of it,
    the share of a mask that is active, and how many times the place was passed (in a scan)."""
    head: int | None = None
    """The place that uses no copy: `Reading.head`."""


@dataclass
class Reading:
    """What is found in a jaxpr on the way."""

    places: list[Place] = field(default_factory=list)
    """From the input to the logits, in the order of evaluation."""
    coupled: list[str] = field(default_factory=list)
    """One sentence for each weight whose copy could not be used."""
    inside: set[int] = field(default_factory=set)
    """Weights that a loop, a branch or a rematerialized call reads."""
    is_rectified: bool = True
    """Whether there are only linear maps and ReLUs, for which hypothesis H says something. Known
    where masks are listed."""
    closed: core.ClosedJaxpr | None = None
    """The jaxpr of the model (`sim.independence.counterfactual.jaxpr_of`)."""
    random: tuple[bool, ...] = ()
    """Which of its weights are random."""

    @property
    def head(self) -> int | None:
        """The last place of weights, unless its weights are read elsewhere as well."""
        weighted = [i for i, place in enumerate(self.places) if place.kind == "weights"]
        if not weighted or (own := self.places[weighted[-1]].leaves) is None:
            return None
        others = (self.places[i].leaves or frozenset[int]() for i in weighted[:-1])
        return None if own & self.inside.union(*others) else weighted[-1]


def decoupled(
    operation: Callable[[Any, Any], Any],
    coefficient: Any,
    backwards: Any,
    signals: Any,
    tap: Float[Array, "4"] | None = None,
    active: Any = 0.0,
) -> Any:
    """`operation(coefficient, signals)`, with the derivative by signals of another coefficient.

    The gradient by `tap` is what `Backward.taps` says.
    """

    @jax.custom_vjp
    def product(coefficient: Any, backwards: Any, signals: Any, tap: Any, active: Any) -> Any:
        return operation(coefficient, signals)

    def forward(coefficient: Any, backwards: Any, signals: Any, tap: Any, active: Any) -> Any:
        return operation(coefficient, signals), (backwards, signals, tap, active)

    def pull(saved: Any, cotangents: Any) -> Any:
        backwards, signals, tap, active = saved
        _, back = jax.vjp(lambda signals: operation(backwards, signals), signals)
        (passed,) = back(cotangents)
        if tap is None:
            return None, None, passed, None, None
        told = jnp.stack([_energy(cotangents), _energy(passed), active, jnp.ones(())])
        return None, None, passed, told.astype(tap.dtype), None

    product.defvjp(forward, pull)
    return product(coefficient, backwards, signals, tap, active)


def _energy(cotangents: Any) -> Array:
    leaves = [x for x in jax.tree.leaves(cotangents) if x.dtype != jax.dtypes.float0]
    return sum((jnp.sum(jnp.abs(x) ** 2) for x in leaves), jnp.zeros(()))
