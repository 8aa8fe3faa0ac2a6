"""Gaussian matrices that are never formed: the principle of deferred decisions.

A matrix W of independent N(0, std²) entries that is used once forwards, y = a W, and once
backwards, W v, need not exist. Given a, y is Gaussian; given a and y, W v is Gaussian too:

    y   = std ‖a‖ ξ                                          ξ  ~ N(0, I_columns)
    W v = a (y·v) / ‖a‖² + std ‖v‖ (ξ' − a (a·ξ') / ‖a‖²)      ξ' ~ N(0, I_rows)

The joint law of y and W v is exactly that of the formed matrix, for one input and one backward
pass, at a cost of rows + columns instead of rows × columns. Across image sizes ξ is the same and
ξ' begins with the same numbers, so the sizes of one seed share almost all of their randomness.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LazyGaussian:
    """A (rows × columns) matrix of independent N(0, std²) entries, known by its key alone.

    Valid for one vector forwards and one backwards. Several inputs multiplied with it see the same
    ξ and ξ': each of them has the right law, but jointly they do not have that of one matrix.
    """

    key: Key[Array, ""]
    std: float = field(metadata={"static": True})
    columns: int = field(metadata={"static": True})

    def __rmatmul__(self, a: Float[Array, " rows"]) -> Float[Array, " columns"]:
        return _product(self.std, self.columns, self.key, a)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _product(std: float, columns: int, key: Any, a: Any) -> Any:
    noise = jax.random.normal(jax.random.fold_in(key, 0), (columns,), a.dtype)
    return std * jnp.linalg.norm(a) * noise


def _forward(std: float, columns: int, key: Array, a: Array) -> tuple[Any, Any]:
    y = _product(std, columns, key, a)
    return y, (key, a, y)


def _backward(std: float, columns: int, saved: Any, v: Array) -> tuple[None, Array]:
    key, a, y = saved
    length = jnp.linalg.norm(a)
    # without active units a = 0: nothing is known of W then, and nothing is projected away
    unit = a / jnp.where(length > 0, length, 1)
    noise = jax.random.normal(jax.random.fold_in(key, 1), a.shape, a.dtype)
    known = unit * (y @ v) / jnp.where(length > 0, length, 1)
    return None, known + std * jnp.linalg.norm(v) * (noise - unit * (unit @ noise))


_product.defvjp(_forward, _backward)
