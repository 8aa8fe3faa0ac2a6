"""Norms of the input gradients of one network at one input.

A norm may lie beyond what the arithmetic of the simulation can hold: see `Norms` and
`sim.networks.scaled`.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sim.networks import scaled
from sim.networks.layers import Weights
from theory.network import Layer

Norms = tuple[Float[Array, "..."], Float[Array, "..."] | None]
"""Values m and whole exponents e of m · 2^e; None where all exponents are 0."""

BLOCK = 4096

CERTAIN = 0.99
"""Probability of the label above which softmax − 1 has lost digits."""

LEAST_LOG = -1e6
"""Logarithms of probabilities end here; float64 ends at −745."""


def norm(g: Float[Array, "..."], q: float) -> Float[Array, ""]:
    """The ℓ_q norm of all coordinates of g, q in [1, ∞].

    Scaled by the largest coordinate, so that no power over- or underflows, and summed in blocks,
    so that float32 is good for 10⁷ coordinates. The norm of g = 0 is 0, and that of a g that is not
    finite is not finite.
    """
    a = jnp.abs(g).ravel()
    largest = jnp.max(a)
    if q == float("inf"):
        return largest
    unit = jnp.where(largest > 0, largest, 1)
    return unit * total((a / unit) ** q) ** (1 / q)


def total(a: Float[Array, " n"]) -> Float[Array, ""]:
    """The sum of all terms, taken in blocks, so that float32 is good for 10⁷ of them."""
    blocks = jnp.pad(a, (0, -a.size % BLOCK)).reshape(-1, BLOCK)
    return jnp.sum(jnp.sum(blocks, axis=1))


def loss_residual(
    logits: Float[Array, " classes"], label: Int[Array, ""]
) -> Float[Array, " classes"]:
    """The derivative of the cross-entropy with respect to the logits: softmax − onehot(label)."""
    return jax.nn.softmax(logits) - jax.nn.one_hot(label, logits.shape[0])


def scaled_residual(logits: scaled.Pair, label: Int[Array, ""]) -> scaled.Pair:
    """`loss_residual` as a pair, for logits that are a pair.

    Where the softmax is saturated at the label, the residual is e^{−large} and comes from the
    logarithms of the other probabilities.
    """
    values, e = logits
    centred = (values - jnp.max(values)) * scaled.power(e)
    plain = loss_residual(centred, label)
    if len(values) == 1:
        return plain, jnp.zeros_like(e)
    at_label = jnp.arange(len(values)) == label
    logs = jnp.maximum(jax.nn.log_softmax(centred), LEAST_LOG)
    missing = jax.nn.logsumexp(jnp.where(at_label, -jnp.inf, logs))
    exponent = jnp.floor(missing / np.log(2))
    sizes = jnp.exp(jnp.where(at_label, missing, logs) - exponent * np.log(2))
    is_certain = -plain[label] < 1 - CERTAIN
    return (
        jnp.where(is_certain, jnp.where(at_label, -sizes, sizes), plain),
        jnp.where(is_certain, exponent, 0).astype(e.dtype),
    )


def gradient_norms(
    body: Layer,
    weights: Weights,
    x: Float[Array, "..."],
    label: Int[Array, ""],
    quantities: Sequence[str],
    qs: Sequence[float],
    labels: int = 1,
    norm_of: Callable[[Array, float], Array] = norm,
) -> Norms:
    """‖∂_x L‖_q (quantity "loss", cross-entropy with `label`) and ‖∂_x f_0‖_q ("logit").

    Values have shape (quantities, qs), exponents (quantities, 1). By exchangeability of the logits,
    f_0 stands for all of them, and `label` for every other one. With more `labels`, up to the
    number of classes, norms are means over so many labels, from `label` on, and over so many
    logits. `norm_of(gradient, q)` is taken of each gradient.
    """
    is_scaled = scaled.needed(body, x.shape, x.dtype)
    zero = jnp.zeros((), x.dtype)
    run = scaled.forward if is_scaled else scaled.plain
    logits, pull_back = jax.vjp(lambda pair: run(body, weights, pair), (x, zero))
    classes = len(logits[0])

    def cotangent(name: str, i: int) -> scaled.Pair:
        if name == "logit":
            return jax.nn.one_hot(i, classes, dtype=x.dtype), zero
        of_label = (label + i) % classes
        if is_scaled:
            return scaled_residual(logits, of_label)
        return loss_residual(logits[0], of_label), zero

    chosen = [cotangent(name, i) for name in quantities for i in range(labels)]
    # all cotangents in one backward pass, as matrices that are never formed need it
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *chosen)
    ((gradients, exponents),) = jax.vmap(pull_back)(stacked)
    norms = jnp.stack([jnp.stack([norm_of(g, q) for q in qs]) for g in gradients])
    by_label = norms.reshape(len(quantities), labels, len(qs)).swapaxes(0, 1)
    of_label = exponents.reshape(len(quantities), labels, 1).swapaxes(0, 1)
    return mean((by_label, of_label if is_scaled else None))


def mean(norms: Norms) -> Norms:
    """The mean over the first axis, with the largest exponent along it."""
    values, exponents = norms
    if exponents is None:
        return values.mean(axis=0), None
    alive = jnp.any(values > 0, axis=-1, keepdims=True)
    largest = jnp.max(jnp.where(alive, exponents, -jnp.inf), axis=0)
    top = jnp.where(jnp.isfinite(largest), largest, 0)
    return (values * scaled.power(exponents - top)).mean(axis=0), top


def numbers(norms: Norms) -> Float[np.ndarray, "..."]:
    """Norms as numbers of float64.

    What lies above its range is infinite; what lies below it, without being zero, is −0, so that
    it can be told from the norm 0 of a gradient that is zero.
    """
    values = np.asarray(norms[0]).astype(np.float64)
    if norms[1] is None:
        return values
    exponents = np.clip(np.asarray(norms[1]), -(2**30), 2**30).astype(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        found = np.ldexp(values, exponents)
    return np.where((found == 0) & (values > 0), -0.0, found)
