"""Our attacks against Foolbox's, on the same network and inputs (extra `peers`)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.attacks.ascent import pgd, steepest
from sim.attacks.losses import cross_entropy
from sim.networks import layers
from theory.architectures import mlp

foolbox = pytest.importorskip("foolbox", reason="the extra peers is not installed")

INF = float("inf")
PEERS = {
    "FGSM": (INF, "LinfFastGradientAttack", 1),
    "fast gradient, 2": (2.0, "L2FastGradientAttack", 1),
    "fast gradient, 1": (1.0, "L1FastGradientAttack", 1),
    "PGD, inf": (INF, "LinfProjectedGradientDescentAttack", 20),
    "PGD, 2": (2.0, "L2ProjectedGradientDescentAttack", 20),
    "PGD, 1": (1.0, "L1ProjectedGradientDescentAttack", 20),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("eps", [1e-3, 0.03])
@pytest.mark.parametrize("peer", PEERS)
def test_never_weaker_than_foolbox(peer, eps):
    """Mean loss under attack over 32 inputs; bound: 3 standard errors of the paired difference.

    Foolbox's fast gradient attacks are compared with ours of one step, its PGD with ours.
    """
    p, name, steps = PEERS[peer]
    network = mlp(width=32, depth=2)
    weights = layers.init(network.body, jax.random.key(0), network.input_shape(8))
    xs = jax.random.normal(jax.random.key(1), (32, 8, 8, 3))
    labels = jax.random.randint(jax.random.key(2), (32,), 0, 10)
    size = eps * xs[0].size ** (1 / p)

    def loss(x, label):
        return cross_entropy(network.body, weights, x, label)

    def ours(x, label, key):
        first = steepest(jax.grad(loss)(x, label), p, size)
        if steps == 1:
            return x + first
        return x + pgd(lambda delta: loss(x + delta, label), first, key, p, size, steps, 1)

    wrapped = jax.vmap(lambda x: layers.apply(network.body, weights, x))
    model = foolbox.JAXModel(wrapped, bounds=(-100, 100))
    options = {} if steps == 1 else {"steps": steps}
    attack = getattr(foolbox.attacks, name)(**options)
    theirs, *_ = attack(model, xs, labels, epsilons=size)
    found = jax.jit(jax.vmap(ours))(xs, labels, jax.random.split(jax.random.key(3), 32))
    for attacked in (found, jnp.asarray(theirs)):
        sizes = [np.linalg.norm(np.ravel(row), p) for row in np.asarray(attacked - xs)]
        assert max(sizes) <= size * (1 + 1e-3)
    gap = np.asarray(jax.vmap(loss)(found, labels) - jax.vmap(loss)(jnp.asarray(theirs), labels))
    print(f"{peer}, eps {eps}: ours - theirs {gap.mean():.2g} ± {gap.std(ddof=1) / 32**0.5:.1g}")
    assert gap.mean() >= -3 * gap.std(ddof=1) / np.sqrt(32) - 1e-5
