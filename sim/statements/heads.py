"""A simulation of Gaussian heads on the features of one network."""

from functools import partial

import jax
import numpy as np
from scipy import special

from sim.networks import layers
from sim.statements.networks import compiled
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures
from theory.laws.softmax import residual_value
from theory.network import Serial

CLASSES = 5
AT_ONCE = 1000
"""Heads that are kept in memory together."""
DEVIATION = 2.0
"""Of the weights of the head: logits large enough for r · f to matter."""


def gaussian_head(settings: Settings) -> Outcome:
    """The loss gradients of many heads on the features of one narrow residual network."""
    network = architectures.resnet(4, head="gap")
    body, shape = Serial(network.body.layers[:-1]), network.input_shape(4)
    weights_key, input_key = jax.random.split(jax.random.key(settings.seed))
    weights = compiled(lambda key: layers.init(body, key, shape))(weights_key)
    x = jax.random.normal(input_key, shape)
    features = partial(layers.apply, body, weights)
    h = np.asarray(compiled(features)(x), float)
    jacobian = compiled(jax.jacrev(features))(x)
    jacobian = np.asarray(jacobian, float).reshape(len(h), -1)

    rng = np.random.default_rng(settings.seed)
    squares = np.empty(settings.seeds)
    for part in np.array_split(squares, -(-settings.seeds // AT_ONCE)):
        heads = DEVIATION * rng.standard_normal((len(part), CLASSES, len(h)))
        r = special.softmax(heads @ h, axis=1)
        r[:, 0] -= 1
        part[:] = np.sum((np.einsum("nk,nkj->nj", r, heads) @ jacobian) ** 2, axis=1)

    energy, length = np.sum(jacobian**2), np.linalg.norm(h)
    alignment = np.sum((jacobian.T @ h / length) ** 2) / energy
    factor = residual_value(float((DEVIATION * length) ** 2), CLASSES, 2, float(alignment))
    what = "E‖∂L‖₂² over σ²‖J‖² of heads on one resnet of width 4, 5 classes"
    return of_mean(what, factor, squares / (DEVIATION**2 * energy))
