"""The law of an input gradient, as `theory.laws.prediction.predict` gives it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
import sympy as sp

from theory.initializers import exact
from theory.laws import alignment, cascade, distance, gaussian, loss
from theory.laws.bounds import Bounds, bounds
from theory.laws.dense import DenseLaw
from theory.laws.energy import (
    gain,
    square_root,
)
from theory.laws.loss import LossLaw
from theory.laws.masked_sum import MaskedSum
from theory.laws.norms import norm_order
from theory.laws.parts import (
    Basis,
    Quantity,
    classes,
    finite_width_value,
    gains,
    gaussian_hidden_layers,
    is_spatial,
    masked_sums,
)
from theory.laws.second_moment import Breach, SecondMomentBasis, breach, second_moment_basis
from theory.laws.softmax import residual_value
from theory.network import (
    Network,
)


@dataclass(frozen=True, repr=False)
class Law:
    """The predicted ℓ_q norm of an input gradient, as a function of the input dimension d.

    Built by `predict`. Calling it with d gives the expected norm, with borders and finite width
    taken into account; `norm`, `second_moment` and `asymptote` are SymPy expressions
    in `theory.laws.parts.d`. For dense networks of (leaky) ReLUs both agree; for others the
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
    _gaussian_inputs: bool = field(default=False, repr=False)

    def __repr__(self) -> str:
        what = f"{self.network.name}, q = {self.q}, {self.quantity}"
        return f"Law({what}: exponent {self.exponent}, rests on {self.basis})"

    @overload
    def __call__(self, d: float) -> float: ...
    @overload
    def __call__(self, d: Sequence[float] | np.ndarray) -> np.ndarray: ...
    def __call__(self, d: Any) -> Any:
        """E‖∂‖_q at input dimension d, with the effects of borders and of finite width.

        Args:
            d: The input dimension, or an array of several.

        Returns:
            The expected norm, in an array of the shape of `d` if that is one. 0 or infinite where
            it lies beyond the range of floats; `slope` does not suffer from that.

        Raises:
            ValueError: The norm's constant is unknown (`norm` is None), or the network cannot take
                an image with d = channels · side².
        """
        if self.norm is None:
            raise ValueError(f"only a second moment is known: {self.assumptions[-1]}.")
        if np.ndim(d):
            several = np.asarray(d)
            return np.reshape([self._value(x) for x in several.ravel().tolist()], several.shape)
        return self._value(d)

    def at_gaussian_inputs(self) -> "Law":
        """The law at inputs of independent N(0, 1) coordinates, instead of inputs of length √d.

        Their length varies, and with it the size of the logits. Where `basis` is "exact" the loss
        has its expectation over them; elsewhere, and for logits, nothing changes.
        """
        return replace(self, _gaussian_inputs=True)

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
        body, logits = gains(self.network.body, shape, self._resolve)
        if spatial:
            value, k = cascade.scaled_norm_value(body, shape, q)
        else:
            root, k = square_root(gain(body, shape))
            groups = gaussian.Groups([root / np.sqrt(d)], [d])
            hidden = gaussian_hidden_layers(body) or []
            finite_width = np.prod([finite_width_value(n, x) for n, x in hidden])
            value = gaussian.norm_value(q, groups) * float(finite_width)
        if self.quantity == "loss" and self.basis == "exact":
            of_input = loss.factor_at_gaussian_inputs if self._gaussian_inputs else loss.factor
            sums = masked_sums(self.network)
            value *= of_input(sums, classes(self.network), float(logits), float(d))
        elif self.quantity == "loss":
            known = alignment.head(body, shape) or alignment.UNKNOWN
            variance, share = float(logits * known.averaged), float(known.alignment)
            value *= residual_value(variance, classes(self.network), alignment=share)
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
        return masked_sums(self.network)

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
