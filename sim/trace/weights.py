"""Second moments of a model's weights, taken from its own initializer.

What the input meets is not always a leaf of the weights: kernels are reshaped, scaled, normalized
or made of several leaves. So the moments are those of the arrays that an equation with the input
reads, whatever was computed from the weights before; nothing about that has to be known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array

from sim.trace.source import Source
from sim.trace.values import Constant, TraceError, Weight, run_once
from sim.trace.walk import bind, walk

SIGNAL = object()
"""Stands for whatever depends on the input."""

BUCKETS = ((2**11, 2048), (2**16, 128), (2**62, 16))
"""Arrays of fewer entries than the first number are drawn as often as the second says: about 2^18
entries or more, a relative standard error of 0.3 % for the second moment of Gaussian entries."""

NUMBERS = 2**27
"""Random numbers for one bucket; larger models are drawn less often, but at least four times."""

FORWARD = 16
"""Forward passes, where the moments of something have to be taken from them."""

SIX_SIGMA = 6.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Sums:
    """Of one array over draws. Sums are relative to the first draw: entries whose squares are all
    the same, random signs say, then leave no rounding."""

    start: Array
    """The first draw."""
    differs: Array
    """Whether any other draw differs from it."""
    first: Array
    """Σ w, for each entry."""
    second: Array
    """Σ (w² − the first w²), for each entry."""
    fourth: Array
    """Σ w⁴, the mean over entries."""

    def after(self, value: Array, is_first: Array) -> "_Sums":
        start = jnp.where(is_first, value, self.start)
        if not jnp.issubdtype(value.dtype, jnp.floating):
            return replace(self, start=start, differs=self.differs | jnp.any(value != start))
        w, reference = value.astype(float), start.astype(float)
        return _Sums(
            start,
            self.differs | jnp.any(value != start),
            self.first + w,
            self.second + (w**2 - reference**2),
            self.fourth + jnp.mean(w**4),
        )


class Frontier:
    """The arrays, known without the input, that equations with the input read, in order.

    `init(key)` are the weights' leaves; `closed` takes them, then the input.
    """

    def __init__(self, init: Callable[[Any], list[Array]], closed: core.ClosedJaxpr) -> None:
        self.init, self.closed = init, closed
        self.places: list[Source] = []

    def arrays(self, key: Any) -> list[Array]:
        """The arrays for the weights that `key` draws."""
        found: list[Array] = []
        self.places = []

        def is_signal(value: Any) -> bool:
            return value is SIGNAL

        def known(equation: Any, operands: list[Any]) -> list[Any]:
            values = [x.val if isinstance(x, core.Literal) else x for x in operands]
            return bind(equation, *values)

        def reads(equation: Any, operands: list[Any], place: Source) -> list[Any]:
            for value in operands:
                if not is_signal(value) and not isinstance(value, core.Literal):
                    found.append(value)
                    self.places.append(place)
            return [SIGNAL] * len(equation.outvars)

        walk(self.closed, [*self.init(key), SIGNAL], is_signal, known, reads)
        return found

    def operands(self, key: Any) -> Iterator[Constant | Weight]:
        """Each array as a constant, if all draws agree, or by its second moments.

        Raises TraceError for weights whose mean is not zero.
        """
        structs = jax.eval_shape(self.arrays, key)
        sizes = [int(np.prod(struct.shape)) for struct in structs]
        found: dict[int, Constant | Weight] = {}
        least = 0
        for most, enough in BUCKETS:
            chosen = [i for i, size in enumerate(sizes) if least <= size < most]
            least = most
            total = sum(sizes[i] for i in chosen)
            if chosen:
                draws = int(np.clip(NUMBERS // max(total, 1), 4, enough))
                keys = jax.random.split(key, draws)
                for i, sums in zip(chosen, _sums(self.arrays, tuple(chosen), keys), strict=True):
                    found[i] = self._operand(i, sums, draws)
        return iter([found[i] for i in range(len(structs))])

    def _operand(self, index: int, sums: _Sums, draws: int) -> Constant | Weight:
        if not bool(sums.differs):
            return Constant(np.asarray(sums.start))
        second = _second_moment(sums, draws, self.places[index])
        return Weight(sums.start.shape, second, lambda: self.forward[index])

    @cached_property
    def forward(self) -> list[Array]:
        """The arrays in each of a few draws, stacked, for forward passes."""
        # asked for while something else is being traced
        with jax.ensure_compile_time_eval():
            keys = jax.random.split(jax.random.key(1), FORWARD)
            return run_once(jax.jit(lambda keys: jax.lax.map(self.arrays, keys)), keys)


def _sums(
    arrays: Callable[[Any], list[Array]], chosen: tuple[int, ...], keys: Array
) -> list[_Sums]:
    """Sums over draws of the chosen arrays."""

    def draw(key: Array) -> list[Array]:
        # what else is drawn from the key is not computed: the compiler drops it
        every = arrays(key)
        return [every[i] for i in chosen]

    def start(struct: Any) -> _Sums:
        zeros = jnp.zeros(struct.shape)
        return _Sums(
            jnp.zeros(struct.shape, struct.dtype), jnp.array(False), zeros, zeros, jnp.array(0.0)
        )

    def add(carry: Any, key: Array) -> tuple[Any, None]:
        index, sums = carry
        values = zip(sums, draw(key), strict=True)
        return (index + 1, [before.after(value, index == 0) for before, value in values]), None

    structs = jax.eval_shape(draw, keys[0])
    begin = (jnp.array(0), [start(struct) for struct in structs])
    (_, sums), _ = run_once(jax.jit(lambda keys: jax.lax.scan(add, begin, keys)), keys)
    return sums


def _second_moment(sums: _Sums, draws: int, place: Source) -> Any:
    """E w², one number if all entries may have the same, else one for each entry."""
    means = np.asarray(sums.first, float) / draws
    squares = np.asarray(sums.start, float) ** 2 + np.asarray(sums.second, float) / draws
    pooled, fourth, entries = squares.mean(), float(sums.fourth) / draws, means.size
    # under mean zero: the overall mean, and the entries' own means, in units of their errors
    overall = means.mean() / np.sqrt(pooled / (entries * draws))
    own = (draws * np.mean(means**2) / pooled - 1) * np.sqrt(entries / 2)
    excess = max(1.0, fourth / pooled**2)
    if abs(overall) > SIX_SIGMA or own > SIX_SIGMA * np.sqrt(1 + excess / draws):
        raise TraceError(
            f"{place}: the random weights there do not have mean zero (mean {means.mean():.3g}, "
            f"root mean square {pooled**0.5:.3g}), so their gradients do not add up in squares."
        )
    spread = fourth - pooled**2
    if spread <= 1e-6 * pooled**2 or entries == 1:
        return pooled
    unequal = draws * squares.var() / spread - 1
    allowed = SIX_SIGMA * np.sqrt((2 + 12 / draws) / entries) + 0.02
    return squares if unequal > allowed else pooled
