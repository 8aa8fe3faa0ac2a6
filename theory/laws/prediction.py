"""What the input gradient of a network must do: `predict(network, q)`."""

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from theory.geometry import smallest_side
from theory.laws import alignment, gaussian, loss, wide
from theory.laws.energy import (
    HALF_ACTIVE,
    NoRuleError,
    assumptions,
    energy_map,
    gain,
    simplified,
)
from theory.laws.growth import growth, settled
from theory.laws.law import Law
from theory.laws.norms import norm_order
from theory.laws.parts import (
    BASES,
    QUANTITIES,
    Basis,
    Quantity,
    classes,
    d,
    finite_width,
    gains,
    gaussian_hidden_layers,
    is_spatial,
    masked_sums,
)
from theory.laws.second_moment import TRUE_MASKS, breach
from theory.laws.softmax import residual_expression
from theory.names import unknown
from theory.network import (
    Branching,
    Conv,
    GlobalMaxPool,
    MaxPool,
    Network,
    Serial,
    output_shape,
    walk,
    with_border,
)

GAUSSIAN_COORDINATES = "large width: the gradient's coordinates are Gaussian given their energies"

CASCADE = (
    "numbers at finite width: what masks and gradients at two positions have in common is that of "
    "large width and uncorrelated pixels"
)

RANDOM_LABEL = "the logits are independent Gaussians and independent of their gradients"

ALIGNED = (
    "the label is independent of the weights, logits are independent Gaussians and, but along the "
    "features, independent of their gradients: Euler's identity gives the rest, to first order in "
    "1/(channels · positions)",
    "of averages, for the size of logits: pixels of the input are uncorrelated",
)

UNIFORM_DIRECTION = (
    "the input has mean square 1 and, unless q = 2, a uniformly random direction; the label is "
    "independent of the weights"
)

BORDER_NEGLECTED = (
    "expressions in d neglect that borders spread energy and add up gradients; numbers do not"
)

SPARSE = "a maximum leaves a sparse gradient: the constant of this norm is unknown"

LONG = 10**60
"""Integers from which on a fraction counts as long."""

BOUNDED_SUPPORT = "a global maximum passes gradient to a bounded number of pixels only"


def predict(
    network: Network, q: Any = 1, quantity: Quantity = "logit", basis: Basis | None = None
) -> Law:
    """The law of the ℓ_q norm of an input gradient at random initialization.

    `quantity` is "logit", one coordinate f_k of the output, or "loss", the cross-entropy with a
    label that is independent of the weights, at inputs of mean square 1. q is any number in
    [1, ∞]; `sympy.oo`, `float("inf")` and "inf" all mean ∞.

    The second moment is Theorem 5 of Simon-Gabriel et al. (ICML 2019), with the energy gains of
    `theory.laws.energy`; the norms follow for Gaussian coordinates. For bias-free dense networks
    with Gaussian weights the norm of a logit's gradient is exact at every width and every d. For
    smooth activations, and where an activation reads a residual stream that has been through one,
    the gains are those of the wide limit (`theory.laws.wide`). `basis` asks for one of `bases`
    instead of the best: "hypothesis-H" gives post-activation residual networks the gains of the
    paper.

    Raises ValueError for q < 1, an unknown quantity, or a basis that a law of this network does not
    have, ShapeError if the layers do not fit, and NoRuleError where `missing` gives a reason.
    """
    q = norm_order(q)
    if quantity not in QUANTITIES:
        raise ValueError(unknown("quantity", quantity, QUANTITIES))
    shape = network.input_shape(sp.Symbol("side", positive=True, integer=True))
    output_shape(network.body, shape)
    basis = _chosen(basis, bases(network), network.name)
    resolve = basis == "wide" and wide.needed(network.body)
    body, energy, logits = _expressions(network, resolve)

    layers = list(walk(body))
    flattened = not is_spatial(body)
    hidden = gaussian_hidden_layers(body) if flattened else None
    dense = flattened and not resolve
    rests_on = _DENSE_ASSUMPTIONS[basis] if dense else assumptions(body, shape)
    if breach(network.body) is None:
        rests_on = tuple(TRUE_MASKS if x == HALF_ACTIVE else x for x in rests_on)
    if basis != "exact":
        rests_on = (*rests_on, GAUSSIAN_COORDINATES, *(() if flattened else (CASCADE,)))
    if quantity == "loss" and basis == "exact":
        rests_on = (*rests_on, UNIFORM_DIRECTION, loss.ERROR)
    if any(isinstance(x, Conv) and x.border != "circular" for x in layers):
        rests_on = (*rests_on, BORDER_NEGLECTED)

    bounded = any(isinstance(x, GlobalMaxPool) for x in layers)
    sparse = any(isinstance(x, MaxPool) for x in layers)
    scales, shares = _profile(body, network.channels)
    amplitude = sp.sqrt(energy / d)
    if not resolve:
        amplitude *= sp.Mul(*(finite_width(n, activation) for n, activation in hidden or []))
    first, second, last = (sp.Integer(1),) * 3
    if quantity == "loss" and basis == "exact":
        first, second, last = _exact_loss_factors(network, logits)
    elif quantity == "loss":
        known = alignment.head(body, shape)
        rests_on = (*rests_on, *((RANDOM_LABEL,) if known is None else ALIGNED))
        first, second, last = _loss_factors(network, logits, known or alignment.UNKNOWN)
    norm = amplitude * first * gaussian.norm_expression(q, scales, shares, d)
    leading = gaussian.norm_asymptote(q, scales, shares, d)
    asymptote = settled(amplitude * last, d) * leading
    if bounded:
        rests_on = (*rests_on, BOUNDED_SUPPORT)
    elif sparse and q != 2:
        rests_on = (*rests_on, SPARSE)
    unknown_constant = bounded or (sparse and q != 2)
    return Law(
        network=network,
        q=q,
        quantity=quantity,
        exponent=exponent(network, q),
        second_moment=energy * second,
        norm=None if unknown_constant else norm,
        asymptote=None if unknown_constant else asymptote,
        basis=basis,
        assumptions=rests_on,
        _resolve=resolve,
        _slope_only=sparse and not bounded and q != sp.oo,
    )


def missing(network: Network) -> str | None:
    """Why there is no law for this network, in one sentence; None if there is one.

    Gradient independence (`sim.independence`) may still predict it.
    """
    shape = network.input_shape(sp.Symbol("side", positive=True, integer=True))
    try:
        body, _ = gains(network.body, shape, wide.needed(network.body))
        gain(body, shape)
    except NoRuleError as error:
        return str(error)
    return None


def bases(network: Network) -> tuple[Basis, ...]:
    """What a law of this network can rest on, the best first."""
    body = network.body
    if wide.depends_on_sizes(body):
        return ("wide",)
    if not is_spatial(body):
        gaussian_weights = gaussian_hidden_layers(body) is not None
        return ("exact",) if gaussian_weights else ("wide",)
    return ("wide", "hypothesis-H") if wide.needed(body) else ("hypothesis-H",)


def _chosen(asked: Basis | None, possible: tuple[Basis, ...], name: str) -> Basis:
    if asked is None:
        return possible[0]
    if asked not in BASES:
        raise ValueError(unknown("basis", asked, BASES))
    if asked not in possible:
        raise ValueError(f"the law of {name} rests on {' or '.join(possible)}, not on {asked}.")
    return asked


def second_moment(network: Network) -> sp.Expr:
    """E‖∂f_k/∂x‖_2² = Πκ as an expression in d, away from borders. Raises ShapeError."""
    return _expressions(network, wide.needed(network.body))[1]


def exponent(network: Network, q: Any) -> sp.Expr:
    """The exponent of d in E‖∂f_k/∂x‖_q as d → ∞, for a number q in [1, ∞] or for a symbol.

    Half the exponent of E‖∂f_k/∂x‖_2², and 1/q − 1/2 for d coordinates of comparable size. Behind
    a global maximum the number of non-zero coordinates does not grow, and the second part is 0.
    Raises ValueError for any other q.
    """
    order = q if isinstance(q, sp.Symbol) else norm_order(q)
    bounded = any(isinstance(layer, GlobalMaxPool) for layer in walk(network.body))
    spread = sp.Integer(0) if bounded else 1 / order - sp.Rational(1, 2)
    return growth(second_moment(network), d) / 2 + spread


def _expressions(network: Network, resolve: bool) -> tuple[Serial, sp.Expr, sp.Expr]:
    """The network with its gains, E‖∂f_k/∂x‖_2² and the mean square of a logit, in d."""
    side = sp.Symbol("side", positive=True, integer=True)
    shape = network.input_shape(side)
    body, logits = gains(network.body, shape, resolve)
    energy, root = gain(body, shape), sp.sqrt(d / network.channels)
    energy, logits = _simplified(energy), _simplified(logits)
    if resolve:
        energy, logits = _shortened(energy), _shortened(logits)
    return body, energy.subs(side, root), logits.subs(side, root)


def _shortened(expression: Any) -> Any:
    """The expression with long fractions as numbers of 30 digits.

    Gains that come from samples are fractions without a meaning of their own, and the root of a
    product of hundreds of them would have to be factored.
    """

    def is_long(x: Any) -> bool:
        return x.is_Rational and max(abs(x.p), x.q) > LONG

    return expression.replace(is_long, lambda x: sp.Float(x, 30))


@lru_cache(maxsize=1024)
def _simplified(expression: sp.Expr) -> sp.Expr:
    return simplified(expression)


_DENSE_ASSUMPTIONS: dict[Basis, tuple[str, ...]] = {
    "exact": ("weights are independent Gaussians, without biases",),
    "wide": ("weights are uncorrelated, without biases", TRUE_MASKS),
}


def _exact_loss_factors(network: Network, logits: sp.Expr) -> tuple[Any, Any, Any]:
    """Loss over logit, in d: of the norm, of the second moment, and of the norm at large d."""
    many, sums = classes(network), masked_sums(network)
    first, second = (loss.factor_expression(sums, many, logits, d, r) for r in (1, 2))
    return first, second, loss.factor_expression(sums, many, logits, sp.oo)


def _at_large_d(bounded: sp.Expr) -> sp.Expr:
    """The limit of a bounded expression in d, as a number: SymPy takes minutes for long ones."""
    value = sp.N(bounded.subs(d, sp.Integer(10) ** 30))
    return sp.Integer(round(value)) if abs(value - round(value)) < 1e-12 else value


def _loss_factors(network: Network, logits: sp.Expr, known: alignment.Head) -> tuple[Any, Any, Any]:
    """The same for a network without an exact law; `known` in its side."""
    side, many = sp.Symbol("side", positive=True, integer=True), classes(network)
    share, averaged = (
        x.subs(side, sp.sqrt(d / network.channels)) for x in (known.alignment, known.averaged)
    )
    first, second = (residual_expression(logits * averaged, many, power, share) for power in (1, 2))
    ends = _at_large_d(share), logits * _at_large_d(averaged)
    return first, second, residual_expression(ends[1], many, 1, ends[0])


@lru_cache(maxsize=1024)
def _profile(body: Serial, channels: int) -> tuple[list[Any], list[Any]]:
    """Relative standard deviations of the input gradient's coordinates, and their shares of d.

    Strides make the pixels unlike each other (hypothesis S fails), with a pattern that repeats
    over the image; its root mean square is 1. Borders are taken as circular here.
    """
    if not is_spatial(body):
        return [sp.Integer(1)], [sp.Integer(1)]
    periodic = with_border(body, "circular")
    if any(isinstance(layer, wide.ResolvedNorm | Branching) for layer in walk(body)):
        periodic = wide.in_fractions(periodic)
    side = smallest_side(periodic, channels)
    ones = np.full((1, 1), sp.Integer(1), dtype=object)
    energies = energy_map(periodic, (side, side, channels), ones).ravel().tolist()
    mean = sp.Add(*energies) / len(energies)
    distinct = sorted(set(energies))
    shares = [sp.Rational(energies.count(x), len(energies)) for x in distinct if x > 0]
    return [sp.sqrt(_shortened(x / mean)) for x in distinct if x > 0], shares
