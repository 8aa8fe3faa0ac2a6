"""What the input gradient of a network must do: `predict(network, q)`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import sympy as sp
from scipy import special

from theory.activations import negative_slope
from theory.initializers import exact, is_gaussian, unknown
from theory.laws import cascade, distance, gaussian, loss, wide
from theory.laws.bounds import Bounds, bounds
from theory.laws.dense import DenseLaw
from theory.laws.energy import (
    NoRuleError,
    assumptions,
    energy_map,
    forward_gain,
    gain,
    simplified,
    square_root,
)
from theory.laws.growth import growth, settled
from theory.laws.loss import LossLaw
from theory.laws.masked_sum import MaskedSum
from theory.laws.norms import norm_order
from theory.laws.second_moment import Breach, SecondMomentBasis, breach, second_moment_basis
from theory.laws.softmax import residual_expression, residual_value
from theory.network import (
    Activation,
    Branching,
    Conv,
    Dense,
    Flatten,
    GlobalMaxPool,
    Identity,
    Layer,
    MaxPool,
    Network,
    Serial,
    Shape,
    ShapeError,
    output_shape,
    walk,
    with_border,
)

Quantity = Literal["logit", "loss"]
QUANTITIES: tuple[str, ...] = get_args(Quantity)
Basis = Literal["exact", "hypothesis-H", "wide"]
BASES: tuple[str, ...] = get_args(Basis)

d = sp.Symbol("d", positive=True)
"""The input dimension, channels · side²."""

GAUSSIAN_COORDINATES = "large width: the gradient's coordinates are Gaussian given their energies"
CASCADE = (
    "finite width: masks at different positions are independent, or equal after a global average"
)
RANDOM_LABEL = "the logits are independent Gaussians and independent of their gradients"
UNIFORM_DIRECTION = (
    "the input has mean square 1 and, unless q = 2, a uniformly random direction; the label is "
    "independent of the weights"
)
BORDER_NEGLECTED = "expressions in d neglect how borders spread energy; numbers do not"
SPARSE = "a maximum leaves a sparse gradient: the constant of this norm is unknown"
LONG = 10**60
"""Integers from which on a fraction counts as long."""

BOUNDED_SUPPORT = "a global maximum passes gradient to a bounded number of pixels only"


@dataclass(frozen=True)
class Law:
    """The predicted ℓ_q norm of an input gradient, as a function of the input dimension d.

    Built by `predict`. Calling it with d gives the expected norm as a float, with borders and
    finite width taken into account; `norm`, `second_moment` and `asymptote` are SymPy expressions
    in `theory.laws.law.d`. For dense networks of (leaky) ReLUs both agree; for others the
    expressions are the limit of large width, away from borders.
    """

    network: Network
    q: Any
    quantity: Quantity
    exponent: sp.Expr
    """The exponent of d as d → ∞."""
    second_moment: sp.Expr
    """E‖∂‖_2², an expression in d: Πκ, times E‖softmax − label‖² (large width) for the loss."""
    norm: sp.Expr | None
    """E‖∂‖_q, an expression in d, or None where only the second moment is known."""
    asymptote: sp.Expr | None
    """The leading term of `norm` as d → ∞."""
    basis: Basis
    """What the prediction rests on: exact at every width; the paper's hypotheses H; large width."""
    assumptions: tuple[str, ...]
    """The hypotheses, one sentence each."""
    _resolve: bool = field(default=False, repr=False)
    _slope_only: bool = field(default=False, repr=False)

    def __call__(self, d: float) -> float:
        """E‖∂‖_q at input dimension d, with the effects of borders and of finite width.

        0 or infinite where it lies beyond the range of floats; `slope` does not suffer from that.
        Raises ValueError if the norm's constant is unknown (`norm` is None) or if the network
        cannot take an image with d = channels · side².
        """
        if self.norm is None:
            raise ValueError(f"only a second moment is known: {self.assumptions[-1]}.")
        return self._value(d)

    def _value(self, d: float) -> float:
        return cascade.scaled(*self._scaled_value(d))

    def _scaled_value(self, d: float) -> tuple[float, int]:
        """E‖∂‖_q as (m, k), standing for m · 2^k."""
        channels, q = self.network.channels, float(self.q)
        side = sp.sqrt(exact(d) / channels)
        spatial = is_spatial(self.network.body)
        if spatial and not side.is_integer:
            raise ValueError(f"d = {d} is not {channels} · side² for any image.")
        shape = self.network.input_shape(int(side) if spatial else side)
        body, logits = _gains(self.network.body, shape, self._resolve)
        if spatial:
            value, k = cascade.scaled_norm_value(body, shape, q)
        else:
            root, k = square_root(gain(body, shape))
            groups = gaussian.Groups([root / np.sqrt(d)], [d])
            hidden = _gaussian_hidden_layers(body) or []
            finite_width = np.prod([_finite_width_value(n, x) for n, x in hidden])
            value = gaussian.norm_value(q, groups) * float(finite_width)
        if self.quantity == "loss" and self.basis == "exact":
            sums = _masked_sums(self.network)
            value *= loss.factor(sums, classes(self.network), float(logits), float(d))
        elif self.quantity == "loss":
            value *= residual_value(float(logits), classes(self.network))
        return value, k

    def distribution(self, d: int) -> DenseLaw | LossLaw:
        """The exact law of ‖∂‖_q at input dimension d: moments, distribution function.

        Its methods take any q. Raises ValueError unless `basis` is "exact".
        """
        sums, side = self._exact_layers(), sp.sqrt(exact(d) / self.network.channels)
        energy = gain(self.network.body, self.network.input_shape(side))
        if self.quantity == "loss":
            return LossLaw(int(d), sums, classes(self.network), float(energy))
        return DenseLaw.of(d, [(layer.units, layer.slope) for layer in sums], energy)

    def distance(self, d: int, p: Any = 2) -> distance.Distance:
        """The exact law of the first-order ℓ_p distance to where two classes have equal logits.

        Over the input's length ‖x‖_2; see `theory.laws.distance`. Raises ValueError unless `basis`
        is "exact".
        """
        self._exact_layers()
        return distance.Distance(int(d), float(norm_order(p)))

    def flip_probability(self, d: int, epsilon: float, p: Any = 2) -> float:
        """P(an ℓ_p attack of size ε changes the predicted class, to first order), exact.

        At an input of length √d; see `theory.laws.distance`. Raises ValueError unless `basis` is
        "exact".
        """
        sums = tuple((layer.units, float(layer.slope)) for layer in self._exact_layers())
        nearest = distance.nearest(sums, classes(self.network), int(d), float(norm_order(p)))
        return float(np.mean(nearest <= epsilon / np.sqrt(d)))

    def _exact_layers(self) -> tuple[MaskedSum, ...]:
        """The hidden layers of a network with an exact law. Raises ValueError for others."""
        if self.basis != "exact":
            raise ValueError(
                "only bias-free dense networks with Gaussian weights have a known distribution."
            )
        return _masked_sums(self.network)

    @property
    def second_moment_basis(self) -> SecondMomentBasis:
        """What `second_moment` rests on: "exact" also where the norm's `basis` is not.

        That of a loss is `basis`; see `theory.laws.second_moment`.
        """
        logit = self.quantity == "logit"
        return second_moment_basis(self.network, self.basis) if logit else self.basis

    @property
    def breaking_layer(self) -> Breach | None:
        """The layer for which second moments of a logit are not exact; None if they are."""
        return breach(self.network.body)

    def bounds(self, d: int) -> Bounds | None:
        """Proved bounds of E‖∂f_k‖_q at input dimension d, without Gaussian coordinates.

        None for the loss, and where second or fourth moments are not known.
        """
        return bounds(self.network, self.q, d) if self.quantity == "logit" else None

    def slope(self, ds: Sequence[float]) -> float | None:
        """Least-squares slope of log E‖∂‖_q on log d over the input dimensions `ds`.

        What a fit over the same sizes should find; None where it is not known. Raises ValueError
        for fewer than two distinct dimensions.
        """
        if len(set(ds)) < 2:
            raise ValueError("a slope needs at least two different input dimensions.")
        if self.norm is None and not self._slope_only:
            return None
        logs = [np.log(m) + k * np.log(2) for m, k in map(self._scaled_value, ds)]
        return float(np.polyfit(np.log(ds), logs, 1)[0])

    def _repr_latex_(self) -> str:
        value = self.norm if self.norm is not None else self.second_moment
        what = r"\mathbb{E}\|\partial\|" + (
            f"_{{{sp.latex(self.q)}}}" if self.norm is not None else "_2^2"
        )
        return f"${what} = {sp.latex(value)}$"


def classes(network: Network) -> int:
    """The number of logits."""
    return [layer for layer in network.body.layers if isinstance(layer, Dense)][-1].features


def is_spatial(layer: Layer) -> bool:
    """True if the network reads its input as an image, false if it only flattens it."""
    flat = (Flatten, Dense, Activation, Serial)
    return not all(isinstance(inner, flat) for inner in walk(layer))


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
    hidden = _gaussian_hidden_layers(body) if flattened else None
    dense = flattened and not resolve
    rests_on = _DENSE_ASSUMPTIONS[basis] if dense else assumptions(body, shape)
    if basis != "exact":
        rests_on = (*rests_on, GAUSSIAN_COORDINATES, *(() if flattened else (CASCADE,)))
    if quantity == "loss":
        exact_loss = (UNIFORM_DIRECTION, loss.ERROR)
        rests_on = (*rests_on, *(exact_loss if basis == "exact" else (RANDOM_LABEL,)))
    if any(isinstance(x, Conv) and x.border != "circular" for x in layers):
        rests_on = (*rests_on, BORDER_NEGLECTED)

    bounded = any(isinstance(x, GlobalMaxPool) for x in layers)
    sparse = any(isinstance(x, MaxPool) for x in layers)
    scales, shares = _profile(body, network.channels)
    amplitude = sp.sqrt(energy / d)
    if not resolve:
        amplitude *= sp.Mul(*(_finite_width(n, activation) for n, activation in hidden or []))
    first, second, last = (
        _loss_factors(network, logits, basis) if quantity == "loss" else (sp.Integer(1),) * 3
    )
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
        body, _ = _gains(network.body, shape, wide.needed(network.body))
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
        gaussian_weights = _gaussian_hidden_layers(body) is not None
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
    body, logits = _gains(network.body, shape, resolve)
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
def _gains(body: Serial, shape: Shape, resolve: bool) -> tuple[Serial, Any]:
    """The network with all gains known, and the mean square of its logits."""
    if not resolve:
        return body, forward_gain(body, shape)
    found = wide.resolve(body, shape)
    return found.body, found.mean_square


@lru_cache(maxsize=1024)
def _simplified(expression: sp.Expr) -> sp.Expr:
    return simplified(expression)


_DENSE_ASSUMPTIONS: dict[Basis, tuple[str, ...]] = {
    "exact": ("weights are independent Gaussians, without biases",),
    "wide": (
        "weights are uncorrelated with a symmetric distribution, without biases "
        "(H1 then holds exactly in a dense network)",
    ),
}


def _gaussian_hidden_layers(body: Serial) -> list[tuple[int, Activation]] | None:
    """(width, activation) of every hidden layer of a dense network with Gaussian weights.

    None if some weights are not independent Gaussians, or an activation does not follow a layer of
    weights. `body` must not be spatial.
    """
    hidden: list[tuple[int, Activation]] = []
    for layer in walk(body):
        if isinstance(layer, Dense):
            if not is_gaussian(layer.init):
                return None
            hidden.append((layer.features, Identity()))
        elif isinstance(layer, Activation):
            if not hidden or hidden[-1][1] != Identity():
                return None
            hidden[-1] = (hidden[-1][0], layer)
    return hidden[:-1]


def _masked_sums(network: Network) -> tuple[MaskedSum, ...]:
    """The hidden layers of a network with an exact law."""
    hidden = _gaussian_hidden_layers(network.body) or []
    return tuple(MaskedSum(n, sp.sympify(negative_slope(layer))) for n, layer in hidden)


def _loss_factors(network: Network, logits: sp.Expr, basis: Basis) -> tuple[Any, Any, Any]:
    """Loss over logit, in d: of the norm, of the second moment, and of the norm at large d."""
    many = classes(network)
    if basis != "exact":
        first, second = (residual_expression(logits, many, power) for power in (1, 2))
        return first, second, first
    sums = _masked_sums(network)
    first, second = (loss.factor_expression(sums, many, logits, d, r) for r in (1, 2))
    return first, second, loss.factor_expression(sums, many, logits, sp.oo)


def _finite_width(n: int, activation: Any) -> sp.Expr:
    """E√S / √E S for S = Σ_i D_i² u_i² behind the mask of a hidden layer of n units, exact."""
    a = negative_slope(activation)
    return gaussian.masked_chi_mean(n, a) / sp.sqrt(n * (1 + a**2) / 2)


@lru_cache(maxsize=1024)
def _finite_width_value(n: int, activation: Any) -> float:
    """`_finite_width` as a number; S of a resolved activation is taken as a gamma variable."""
    if isinstance(activation, wide.Resolved):
        k = n / float(cascade.relative_variance(activation))
        return float(special.poch(k, 0.5) / np.sqrt(k))
    a = float(negative_slope(activation))
    return gaussian.masked_chi_value(n, a) / np.sqrt(n * (1 + a**2) / 2)


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
    side = _smallest_side(periodic, channels)
    ones = np.full((1, 1), sp.Integer(1), dtype=object)
    energies = energy_map(periodic, (side, side, channels), ones).ravel().tolist()
    mean = sp.Add(*energies) / len(energies)
    distinct = sorted(set(energies))
    shares = [sp.Rational(energies.count(x), len(energies)) for x in distinct if x > 0]
    return [sp.sqrt(_shortened(x / mean)) for x in distinct if x > 0], shares


def _smallest_side(body: Layer, channels: int) -> int:
    for side in range(1, 4097):
        try:
            output_shape(body, (side, side, channels))
        except ShapeError:
            continue
        return side
    raise ShapeError("no image of side up to 4096 fits the strides of this network.")
