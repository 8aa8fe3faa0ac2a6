"""Functions of one entry: what an activation does to energies and to mean squares.

An activation is whatever chain of elementwise equations leads from one signal z to the next one
that is not elementwise; nothing has to be known of it but its values and slopes.

- positively homogeneous (linear, ReLU, leaky ReLU, abs): hypothesis H, half of the units active;
- any other, of a signal that random weights have just mixed: the wide limit, z ~ N(0, E z²);
- any other, of anything else (a variance, a score less its maximum): from a few forward passes.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sim.trace.values import Known, Pointwise, Signal, Tape, evaluated
from theory.energy import HALF_ACTIVE

GAUSSIAN = "large width: what an activation reads is Gaussian"
FORWARD_PASSES = "large width: slopes are those of a few forward passes, whatever the gradient"

PROBES = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
NODES, REACH = 1000, 9.0
VARIANCES = 129


def settled(value: Pointwise, tape: Tape) -> Signal:
    """The node that a function of every entry gives."""
    if value.settled is None:
        value.settled = _settled(value, tape)
    return value.settled


def _settled(value: Pointwise, tape: Tape) -> Signal:
    base, function = value.base, value.function
    positive, negative, odd = _probed(function)
    kind, rests, centred = "activation", (HALF_ACTIVE,), False
    gain: Any
    square: Any = None
    if positive is not None:
        gain = (positive**2 + negative**2) / 2
        linear = positive == negative
        if linear:
            kind, rests, centred = "scale", (), base.centred
            if positive == 1:
                return base
        square = lambda known: gain * base.within(known, "square")  # noqa: E731
    else:
        moments = None
        if base.centred:
            moments = gaussian_moments(function, np.asarray(base.square, float))
        if moments is not None and np.all(np.isfinite(moments)):
            gain, mean_square = moments
            rests, centred = (GAUSSIAN,), odd
            square = lambda known: jnp.asarray(mean_square, float)  # noqa: E731
        else:
            draws = base.draws
            squares = evaluated(lambda: jnp.mean(jnp.square(_slope(function, draws)), axis=0))
            gain, kind, rests = np.asarray(squares), "statistic", (FORWARD_PASSES,)
    factor = jnp.asarray(gain, float)
    node = tape.add([base], base.shape, lambda e: e * factor, kind, value.source, rests)

    def draws_of(known: Known) -> Array:
        return function(base.within(known, "draws"))

    return Signal(node, base.shape, draws_of, square, centred, [base])


def _slope(function: Callable[[Array], Array], z: Array) -> Array:
    value, slope = jax.jvp(function, (z,), (jnp.ones_like(z),))
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.zeros(z.shape)
    return slope.astype(float)


def _probed(function: Callable[[Array], Array]) -> tuple[Any, Any, bool]:
    """Slopes for z > 0 and z < 0 of a positively homogeneous function (None, None for others), and
    whether φ(−z) = −φ(z), so that a symmetric input leaves a symmetric output."""
    z = np.concatenate([PROBES, -PROBES])

    def probed() -> tuple[Array, Array]:
        points = jnp.asarray(z, float)
        return function(points), _slope(function, points)

    values, slopes = (np.asarray(x, float) for x in evaluated(probed))
    ratios = values / z
    positive, negative = np.split(ratios, 2)
    odd = bool(np.allclose(positive, negative, rtol=1e-5, atol=1e-7))
    # a gradient that is stopped is no slope, whatever the values
    if not np.all(np.isfinite(ratios)) or not np.allclose(slopes, ratios, rtol=1e-5, atol=1e-7):
        return None, None, odd
    for half in (positive, negative):
        if np.ptp(half) > 1e-6 * abs(half[0]):
            return None, None, odd
    return float(positive[0]), float(positive[0] if odd else negative[0]), odd


def gaussian_moments(
    function: Callable[[Array], Array], variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """E φ'(z)² and E φ(z)² for z ~ N(0, v), for each v of an array.

    By quadrature at every variance if there are few, else at `VARIANCES` of them, with linear
    interpolation in log v between.
    """
    distinct, where = np.unique(np.float32(variances), return_inverse=True)
    grid = np.maximum(distinct.astype(float), 1e-30)
    if grid.size > VARIANCES:
        grid = np.geomspace(grid[0], grid[-1], VARIANCES)
    # an even number of nodes: none lies at 0, where there may be a kink
    t, step = np.linspace(-np.arcsinh(REACH), np.arcsinh(REACH), NODES, retstep=True)
    nodes = np.sinh(t)
    weights = np.exp(-(nodes**2) / 2) * np.cosh(t) / np.sqrt(2 * np.pi) * step
    z = jnp.asarray(np.sqrt(grid)[:, None] * nodes, float)
    slopes, values = evaluated(lambda: (_slope(function, z), function(z)))
    gains = np.asarray(slopes, float) ** 2 @ weights
    squares = np.asarray(values, float) ** 2 @ weights
    if grid.size == distinct.size:
        at = where.reshape(variances.shape)
        return gains[at], squares[at]
    logs = np.log(np.maximum(variances, grid[0]))
    return np.interp(logs, np.log(grid), gains), np.interp(logs, np.log(grid), squares)
