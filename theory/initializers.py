"""Initialization schemes: one object gives Var(w) to `theory` and the draw to `sim`.

All weights have mean zero and a distribution symmetric about zero. A scheme is a name that users
know (`he`, `glorot`, ...); an initializer is what the scheme prescribes for one layer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sympy as sp

from theory import own
from theory.names import unknown

Distribution = Literal["normal", "uniform", "truncated-normal", "rademacher"]
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)


@dataclass(frozen=True)
class VarianceScaling:
    """Var(w) = scale / fan, with fan = fan_in, fan_out or their average (`fan_avg`)."""

    scale: Any
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Distribution = "normal"

    def __repr__(self) -> str:
        return f"{self.scale}/{self.mode} {self.distribution}"


@dataclass(frozen=True)
class Constant:
    """Var(w) = std², whatever the layer (ViT and GPT use std = 0.02)."""

    std: Any
    distribution: Distribution = "normal"

    def __repr__(self) -> str:
        return f"std {self.std} {self.distribution}"


@dataclass(frozen=True)
class Orthogonal:
    """gain · Q, Q uniformly random among fan_in × fan_out matrices of orthonormal rows or columns.

    For a dense layer Var(w) = gain² / max(fan_in, fan_out) and distinct weights are uncorrelated.
    A convolution's kernel is flattened to (kernel² · channels in) × channels out first; its
    bound max(kernel² · channels in, channels out) takes the place of max(fan_in, fan_out).
    """

    gain_squared: Any

    def __repr__(self) -> str:
        return f"orthogonal, gain² {self.gain_squared}"


Initializer = VarianceScaling | Constant | Orthogonal


def variance(init: Initializer, fan_in: Any, fan_out: Any, columns: Any) -> sp.Expr:
    """Var(w) of one weight, exact.

    `fan_in` and `fan_out` are integers or SymPy expressions; `columns` is the number of outputs
    that the flattened weight matrix has (fan_out of a dense layer, output channels of a
    convolution), which only the orthogonal scheme reads.
    """
    if isinstance(init, Constant):
        return exact(init.std) ** 2
    if isinstance(init, Orthogonal):
        return exact(init.gain_squared) / sp.Max(fan_in, columns)
    fan = {
        "fan_in": sp.sympify(fan_in),
        "fan_out": sp.sympify(fan_out),
        "fan_avg": (sp.sympify(fan_in) + fan_out) / 2,
    }[init.mode]
    return exact(init.scale) / fan


def exact(number: Any) -> sp.Expr:
    """A SymPy number; a float becomes the decimal fraction that it was written as."""
    return sp.Rational(str(number)) if isinstance(number, float) else sp.sympify(number)


def is_gaussian(init: Initializer) -> bool:
    """True if the weights are independent Gaussians, which the exact finite-width law needs."""
    return not isinstance(init, Orthogonal) and init.distribution == "normal"


@dataclass(frozen=True)
class Scheme:
    """A named initialization scheme, for a whole network.

    `name` is one of `SCHEMES`; or package.module:name of a user's own initializer, or of a function
    that returns one for a scale, which is 2 for layers followed by ReLU. `distribution` replaces
    the scheme's usual one (None keeps it); `std` is used by `constant` alone.

    Raises ValueError for an unknown name or distribution, for a distribution given to
    `orthogonal`, and for a std that is not positive.
    """

    name: str
    distribution: str | None = None
    std: float = 0.02

    def __post_init__(self) -> None:
        if own.is_own(self.name):
            if self.distribution is not None:
                raise ValueError(f"--init {self.name} has its own distribution.")
            self.hidden(1)
        elif self.name not in SCHEMES:
            raise ValueError(unknown("initialization scheme", self.name, SCHEMES))
        if self.distribution is not None and self.distribution not in DISTRIBUTIONS:
            raise ValueError(unknown("distribution", self.distribution, DISTRIBUTIONS))
        if self.distribution is not None and self.name == "orthogonal":
            raise ValueError("the orthogonal scheme has no distribution to choose")
        if not self.std > 0:
            raise ValueError(f"the standard deviation of weights must be positive, not {self.std}")

    def hidden(self, activation_gain: Any) -> Initializer:
        """The initializer of a layer followed by an activation of energy gain `activation_gain`.

        He-type schemes compensate it (scale 1 / activation_gain: 2 for ReLU); the others do not.
        For smooth activations see `theory.activations.reference_gain`: 2 for GELU and SiLU, 1 for
        tanh, π/4 for erf.
        """
        return self._initializer(1 / exact(activation_gain))

    def last(self) -> Initializer:
        """The initializer of the layer that gives the logits, which no activation follows."""
        return self._initializer(sp.Integer(1))

    def _initializer(self, scale: sp.Expr) -> Initializer:
        if not own.is_own(self.name):
            return SCHEMES[self.name](self, scale)
        found = own.loaded("--init", self.name)
        if not isinstance(found, Initializer) and callable(found):
            try:
                found = found(scale)
            except Exception as error:
                raise ValueError(f"--init {self.name} fails: {own.words(error)}.") from error
        if not isinstance(found, Initializer):
            kind = type(found).__name__
            raise ValueError(f"--init {self.name} is a value of {kind}, which is no initializer.")
        return found


def _scaled(
    mode: Literal["fan_in", "fan_out", "fan_avg"],
    usual: Distribution,
    fixed_scale: sp.Expr | None = None,
) -> Callable[[Scheme, Any], Initializer]:
    def build(scheme: Scheme, scale: Any) -> Initializer:
        distribution: Any = scheme.distribution or usual
        return VarianceScaling(scale if fixed_scale is None else fixed_scale, mode, distribution)

    return build


def _constant(scheme: Scheme, scale: Any) -> Initializer:
    distribution: Any = scheme.distribution or "normal"
    return Constant(scheme.std, distribution)


def _orthogonal(scheme: Scheme, scale: Any) -> Initializer:
    return Orthogonal(scale)


SCHEMES: dict[str, Callable[[Scheme, Any], Initializer]] = {
    "he": _scaled("fan_in", "normal"),
    "he-fan-out": _scaled("fan_out", "normal"),
    "lecun": _scaled("fan_in", "normal", sp.Integer(1)),
    "glorot": _scaled("fan_avg", "uniform", sp.Integer(1)),
    "pytorch": _scaled("fan_in", "uniform", sp.Rational(1, 3)),
    "flax": _scaled("fan_in", "truncated-normal", sp.Integer(1)),
    "constant": _constant,
    "orthogonal": _orthogonal,
}
"""Schemes by name. `pytorch` is the default of `torch.nn.Linear` and `Conv2d` (uniform on
±1/√fan_in, variance 1/(3 fan_in)), without their biases; `flax` is `lecun_normal`, truncated."""
