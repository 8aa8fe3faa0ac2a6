"""Gaussian matrices that are never formed: the principle of deferred decisions.

A matrix W (rows × columns) of independent N(0, std²) entries that is used once forwards, Y = A W,
and once backwards, W Vᵀ, need not exist. Let the rows of A be the inputs and those of V the
cotangents. With A = C Q and V = D P, where the rows of Q and of P are orthonormal or zero,

    Y    = std C Ξ                                   Ξ  ~ N(0, I), as many rows as Q
    W Vᵀ = Qᵀ (std Ξ Vᵀ) + std (I − Qᵀ Q) Ξ' Dᵀ       Ξ' ~ N(0, I), as many columns as P has rows

since Q W = std Ξ where Q is not zero, and given it only the part of W orthogonal to the inputs is
still random. With A Aᵀ invertible the first term of W Vᵀ is Aᵀ (A Aᵀ)⁻¹ Y Vᵀ. The joint law of Y
and W Vᵀ is exactly that of the formed matrix, for all inputs and cotangents together, also for
equal inputs, inputs that are zero and more inputs than rows. The cost is that of rows + columns
numbers for each input and cotangent, instead of rows × columns. In float32, a · (W v) and (a W) · v
agree to 2e-6 of ‖a‖‖W v‖.

Across image sizes Ξ is the same and each row of Ξ' begins with the same numbers, so the sizes of
one seed share almost all of their randomness.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float, Key

from sim.networks import random_bits

ONE_PASS = (
    "a Gaussian matrix that is never formed can be used in one backward pass only: "
    "map the pull-back over all cotangents at once (jax.vmap), or form the matrix."
)
NO_SECOND_DERIVATIVE = (
    "a Gaussian matrix that is never formed has no second derivatives: form the matrix."
)


DEPENDENT = 16
"""Units of rounding, relative to its length, to which a row counts as a combination of others."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LazyGaussian:
    """A (rows × columns) matrix of independent N(0, std²) entries, known by its key alone.

    `a @ matrix` composes with `jax.jit`, with `jax.vmap` over inputs (one matrix, drawn jointly
    for all of them), over keys (a matrix for each) and over the cotangents of a pull-back, and
    with reverse-mode differentiation with respect to a. Inputs or cotangents that belong to one
    matrix must come in one product, mapped. ValueError for a second backward pass after the same
    product, where the pull-back is called twice from Python; TypeError for second derivatives.
    """

    key: Key[Array, "..."]  # one key; many only where jax stacks matrices to map over them
    std: float = field(metadata={"static": True})
    columns: int = field(metadata={"static": True})

    def __rmatmul__(self, a: Float[Array, " rows"]) -> Float[Array, " columns"]:
        return _product(self.std, self.columns, self.key, a)


@dataclass(frozen=True)
class _Jointly:
    """A draw from explicit axes, which `jax.vmap` makes longer instead of mapping the draw.

    Its arguments begin with the axes (matrices), (matrices, inputs) and, if there is a third, with
    (matrices, inputs, cotangents), its result with the axes of the last one.
    """

    draw: Callable[..., Array]

    def __call__(self, *arguments: Array) -> Array:
        joint = custom_vmap(self.draw)
        joint.def_vmap(self._mapped)
        return joint(*arguments)

    def _mapped(self, size: int, mapped: list[bool], *arguments: Array) -> tuple[Array, bool]:
        # mapped keys are other matrices, else mapped inputs are other inputs of the same ones
        axis = mapped.index(True)

        def longer(x: Array, is_mapped: bool) -> Array:
            x = x if is_mapped else jnp.broadcast_to(x, (size, *x.shape))
            x = jnp.moveaxis(x, 0, axis)
            return x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])

        together = map(longer, arguments[axis:], mapped[axis:])
        result = self(*arguments[:axis], *together)
        apart = result.reshape(*result.shape[:axis], size, -1, *result.shape[axis + 1 :])
        return jnp.moveaxis(apart, axis, 0), True


def _orthonormal(a: Float[Array, "k n"]) -> tuple[Float[Array, "k n"], Float[Array, "k k"]]:
    """Q and C with a = C Q; the rows of Q are orthonormal, or zero where a depends on those before.

    By Gram and Schmidt, every row twice, which is orthogonal to rounding. (A library's QR
    decomposition would do, but batches of it can block for ever: `sim.networks.decompositions`.)
    """
    if len(a) == 1:
        length = jnp.linalg.norm(a)
        return a / jnp.where(length > 0, length, 1), length[None, None]
    lengths = jnp.linalg.norm(a, axis=1)

    def add(i: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        basis, coefficients = found
        first = basis @ a[i]
        rest = a[i] - first @ basis
        second = basis @ rest
        rest = rest - second @ basis
        length = jnp.linalg.norm(rest)
        is_new = length > DEPENDENT * jnp.finfo(a.dtype).eps * lengths[i]
        row = jnp.where(is_new, rest / jnp.where(is_new, length, 1), 0)
        own = (first + second).at[i].set(jnp.where(is_new, length, 0))
        return basis.at[i].set(row), coefficients.at[i].set(own)

    start = jnp.zeros_like(a), jnp.zeros((len(a), len(a)), a.dtype)
    return jax.lax.fori_loop(0, len(a), add, start)


def _known(key: Key[Array, ""], std: float, shape: tuple[int, int], dtype: Any) -> Array:
    """Q W, independent of A."""
    normal = partial(jax.random.normal, dtype=dtype)
    return std * random_bits.draw(normal, jax.random.fold_in(key, 0), shape)


def _outputs(
    std: float, columns: int, key: Key[Array, ""], a: Float[Array, "k rows"]
) -> Float[Array, "k columns"]:
    """A W."""
    _, coefficients = _orthonormal(a)
    return coefficients @ _known(key, std, (coefficients.shape[1], columns), a.dtype)


def _pulled_back(
    std: float,
    key: Key[Array, ""],
    a: Float[Array, "k rows"],
    v: Float[Array, "k c columns"],
) -> Float[Array, "k c rows"]:
    """Draws W v for each of the c cotangents at each input, given A W."""
    flat = v.reshape(-1, v.shape[2])
    basis, _ = _orthonormal(a)
    _, coefficients = _orthonormal(flat)
    known = _known(key, std, (len(basis), v.shape[2]), a.dtype)

    def row(i: Array) -> Array:
        normal = partial(jax.random.normal, dtype=a.dtype)
        return random_bits.draw(normal, jax.random.fold_in(key, i), a.shape[1:])

    noise = jax.vmap(row)(1 + jnp.arange(coefficients.shape[1]))
    free = noise - (noise @ basis.T) @ basis
    return ((flat @ known.T) @ basis + std * coefficients @ free).reshape(*v.shape[:2], -1)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _product(std: float, columns: int, key: Any, a: Any) -> Any:
    draw = jax.vmap(partial(_outputs, std, columns))
    return _Jointly(draw)(key[None], a[None, None])[0, 0]


class _Once:
    """Notices a second backward pass after one product; compared by identity."""

    def __init__(self) -> None:
        self.used: Callable[[], Any] = lambda: None

    def use(self, a: Array) -> None:
        # a compiled function is traced anew with other arrays, and that is no second pass
        if self.used() is a:
            raise ValueError(ONE_PASS)
        self.used = weakref.ref(a)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Saved:
    key: Any
    a: Any
    once: _Once = field(metadata={"static": True})


def _forward(std: float, columns: int, key: Any, a: Any) -> tuple[Any, Any]:
    return _product(std, columns, key, a), _Saved(key, a, _Once())


def _backward(std: float, columns: int, saved: Any, v: Any) -> tuple[None, Any]:
    saved.once.use(saved.a)
    return None, _transposed(std, saved.key, saved.a, v)


_product.defvjp(_forward, _backward)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _transposed(std: float, key: Any, a: Any, v: Any) -> Any:
    draw = jax.vmap(partial(_pulled_back, std))
    return _Jointly(draw)(key[None], a[None, None], v[None, None, None])[0, 0, 0]


@_transposed.defjvp
def _refuse(std: float, primals: Any, tangents: Any) -> Any:
    raise TypeError(NO_SECOND_DERIVATIVE)
