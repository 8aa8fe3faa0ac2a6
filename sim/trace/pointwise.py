"""Functions of one entry: what an activation does to energies and to mean squares.

An activation is whatever chain of elementwise equations leads from one signal z to the next one
that is not elementwise; nothing has to be known of it but its values and slopes.

- positively homogeneous (linear, ReLU, leaky ReLU, abs): hypothesis H, half of the units active;
- any other, of a signal that random weights have just mixed: the wide limit, z ~ N(0, E z²);
- any other, of an average of many (the variance of a layer norm): the wide limit, too;
- any other, of anything else (a score less its maximum): from a few forward passes.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from sim.trace import averages, scatter
from sim.trace.arrays import Dual
from sim.trace.values import Average, Known, Pointwise, Scatter, Signal, Tape, few
from theory.energy import HALF_ACTIVE

GAUSSIAN = "large width: what an activation reads is Gaussian"
FORWARD_PASSES = "large width: slopes are those of a few forward passes, whatever the gradient"

PROBES = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
NODES, REACH = 1000, 9.0
LOG_STEP, VARIANCES = 0.02, 129


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
    average: Any = None

    @cache
    def scales() -> tuple[float, float, float] | None:
        return scatter.through(lambda v: _gaussian_powers(function, v), base)

    if positive is not None:
        gain = (positive**2 + negative**2) / 2
        linear = positive == negative
        if linear:
            kind, rests, centred = "scale", (), base.centred
            if positive == 1:
                return base
            average = averages.pushed([base], lambda m: positive * m, lambda v: gain * v)
        square = lambda: gain * base.square  # noqa: E731
    else:
        moments = None
        if base.centred:
            moments = gaussian_moments(function, np.asarray(base.square, float))
            rests, centred = (GAUSSIAN,), odd
        if moments is None or not np.all(np.isfinite(moments)):
            moments = averages.moments(lambda z: _with_slope(function, z), base.average)
            kind, rests, centred = "statistic", (averages.AVERAGED,), False
        if moments is not None:
            gain, mean_square, mean = moments
            square = lambda: mean_square  # noqa: E731
            average = _average(mean, mean_square, scales if kind == "activation" else None)
        else:
            gain, rests = None, (FORWARD_PASSES,)

    @cache
    def measured() -> np.ndarray:
        slopes = _with_slope(function, few(base.draws))[1]
        return np.asarray(np.mean(np.square(slopes), axis=0, dtype=float))

    def of_activation() -> Scatter | None:
        found = scales() if kind == "activation" and base.centred else None
        return None if found is None else found[1:]

    node = tape.add(
        [base],
        base.shape,
        lambda e: (e * (measured() if gain is None else gain),),
        kind,
        value.source,
        rests,
    )

    def draws_of(known: Known) -> Any:
        return function(base.within(known))

    return Signal(
        node,
        base.shape,
        draws_of,
        square,
        centred,
        [base],
        average=average,
        independent=base.independent,
        scatter=lambda: base.scatter if kind == "scale" else of_activation(),
    )


def _average(
    mean: np.ndarray, square: np.ndarray, scales: Callable[[], Any] | None
) -> Callable[[], Average | None]:
    """Of a function of a statistic, or of Gaussian entries: None if their `scales` are unknown."""

    def average() -> Average | None:
        found = (0.0,) if scales is None else scales()
        return None if found is None else (mean, square - mean**2, found[0])

    return average


def _with_slope(function: Callable[[Any], Any], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes; a slope is 0 where there is none."""
    found = function(Dual(z, np.ones_like(z)))
    return (found.value, found.tangent) if isinstance(found, Dual) else (found, np.zeros(z.shape))


def _probed(function: Callable[[Any], Any]) -> tuple[Any, Any, bool]:
    """Slopes for z > 0 and z < 0 of a positively homogeneous function (None, None for others), and
    whether φ(−z) = −φ(z), so that a symmetric input leaves a symmetric output."""
    z = np.concatenate([PROBES, -PROBES])
    values, slopes = (np.asarray(x, float) for x in _with_slope(function, z))
    ratios = values / z
    positive, negative = np.split(ratios, 2)
    odd = _close(positive, negative)
    # a gradient that is stopped is no slope, whatever the values
    if not np.all(np.isfinite(ratios)) or not _close(slopes, ratios):
        return None, None, odd
    for half in (positive, negative):
        if np.ptp(half) > 1e-6 * abs(half[0]):
            return None, None, odd
    return float(positive[0]), float(positive[0] if odd else negative[0]), odd


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= 1e-7 + 1e-5 * np.abs(b)))


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the standard Gaussian."""
    # an even number of nodes: none lies at 0, where there may be a kink
    t, step = np.linspace(-np.arcsinh(REACH), np.arcsinh(REACH), NODES, retstep=True)
    nodes = np.sinh(t)
    return nodes, np.exp(-(nodes**2) / 2) * np.cosh(t) / np.sqrt(2 * np.pi) * step


def _gaussian_powers(
    function: Callable[[Any], Any], variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E φ(z), E φ(z)² and E φ(z)⁴ for z ~ N(0, v), for each v of a row."""
    nodes, weights = _quadrature()
    values = np.asarray(function(np.sqrt(variances)[:, None] * nodes), float)
    return values @ weights, values**2 @ weights, values**4 @ weights


def gaussian_moments(
    function: Callable[[Any], Any], variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E φ'(z)², E φ(z)² and E φ(z) for z ~ N(0, v), for each v of an array.

    By quadrature at every variance if there are few, else at some of them, `LOG_STEP` apart but no
    more than `VARIANCES`, with linear interpolation in log v between.
    """
    distinct, where = np.unique(np.float32(variances), return_inverse=True)
    grid = np.maximum(distinct.astype(float), 1e-30)
    enough = int(np.clip(np.log(grid[-1] / grid[0]) / LOG_STEP + 2, 2, VARIANCES))
    if grid.size > enough:
        grid = np.geomspace(grid[0], grid[-1], enough)
    nodes, weights = _quadrature()
    values, slopes = _with_slope(function, np.sqrt(grid)[:, None] * nodes)
    values, slopes = np.asarray(values, float), np.asarray(slopes, float)
    gains, squares, means = (x @ weights for x in (slopes**2, values**2, values))
    if grid.size == distinct.size:
        at = where.reshape(variances.shape)
        return gains[at], squares[at], means[at]
    logs, at = np.log(np.maximum(variances, grid[0])), np.log(grid)
    return np.interp(logs, at, gains), np.interp(logs, at, squares), np.interp(logs, at, means)
