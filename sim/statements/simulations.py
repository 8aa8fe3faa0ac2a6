"""One small simulation for every statement of `theory.statements`, of its main claim.

To add one, write a function of `Settings` that returns an `Outcome` and decorate it with the
name of its statement. `python -m sim.statements` runs them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy import optimize, stats

from sim.networks import layers
from sim.networks.gradients import loss_residual
from sim.sampling.engine import Draws, sample
from sim.statistics import estimates, verdicts
from theory import architectures, predict
from theory.geometry import connections
from theory.initializers import VarianceScaling
from theory.laws import norms
from theory.laws.energy import gain, logit_energy_map
from theory.laws.law import d
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    residual,
    serial,
)
from theory.statements import failures, finite_width, graphs, paths

HE = VarianceScaling(2)
LAST = VarianceScaling(1)
NETWORKS_OF_AN_IDENTITY = 16
"""An identity holds for every network, so a few of them tell as much as thousands."""


@dataclass(frozen=True)
class Settings:
    """How many independent networks a mean is taken over, and the key of all of them."""

    seeds: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What was simulated, and what came out.

    Either a mean with a prediction and a standard error over `seeds` networks; or an identity,
    with the largest relative error in the place of the measurement and a `tolerance` for it.
    """

    simulated: str
    predicted: float
    measured: float
    standard_error: float | None
    seeds: int
    tolerance: float | None = None

    @property
    def z(self) -> float | None:
        """Standard errors between measurement and prediction; None for an identity."""
        if self.standard_error is None:
            return None
        if self.standard_error == 0:
            return 0.0 if self.measured == self.predicted else float("inf")
        return (self.measured - self.predicted) / self.standard_error

    def agrees(self, comparisons: int) -> bool:
        """Whether prediction and measurement are compatible.

        An identity must hold within its tolerance; a mean passes a two-sided t test at level
        `statistics.FALSE_ALARM` / comparisons.
        """
        if self.z is None:
            return bool(self.tolerance is not None and self.measured <= self.tolerance)
        level = verdicts.FALSE_ALARM / comparisons
        return bool(abs(self.z) <= stats.t.ppf(1 - level / 2, self.seeds - 1))


Check = Callable[[Settings], Outcome]
CHECKS: dict[str, Check] = {}
"""The simulation of each statement, by the statement's name."""

WITHOUT: dict[str, str] = {}
"""Statements without a simulation, and why."""


def simulates(statement: str) -> Callable[[Check], Check]:
    """Register a function as the simulation of a statement."""

    def register(check: Check) -> Check:
        CHECKS[statement] = check
        return check

    return register


def _mean(simulated: str, predicted: Any, samples: np.ndarray) -> Outcome:
    samples = np.asarray(samples, float)
    error = float(samples.std(ddof=1) / np.sqrt(len(samples)))
    return Outcome(simulated, float(predicted), float(samples.mean()), error, len(samples))


def _exponent(simulated: str, predicted: Any, values: np.ndarray, ds: list[int]) -> Outcome:
    """The exponent of the mean of `values`, of shape (seeds, sizes)."""
    slope = estimates.exponent(values, np.asarray(ds, float))
    return Outcome(simulated, float(predicted), slope.value, slope.standard_error, slope.seeds)


def _identity(simulated: str, error: float, networks: int, tolerance: float) -> Outcome:
    return Outcome(simulated, 0.0, error, None, networks, tolerance)


def _norms(
    network: Network,
    side: int,
    settings: Settings,
    q: float,
    quantity: str = "logit",
    input: str = "gaussian",
) -> Float[np.ndarray, " seeds"]:
    """‖∂‖_q of every seed, each at its own input."""
    draws = Draws((quantity,), (q,), input, seed=settings.seed)
    return sample(network, side, range(settings.seeds), draws)[:, 0, 0].astype(float)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    # these networks are tiny: compiling them takes far longer than running them
    cpu = jax.default_backend() == "cpu"
    options = {"xla_backend_optimization_level": 0} if cpu else {}
    return jax.jit(function, compiler_options=options)


def _gradients(
    network: Network, side: int, settings: Settings, image: np.ndarray | None = None
) -> Float[np.ndarray, "seeds side side channels"]:
    """∂f_0/∂x of every seed at a Gaussian input, or at one image."""
    shape = network.input_shape(side)

    def one(key: Key[Array, ""]) -> Array:
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(network.body, weights_key, shape)
        x = jax.random.normal(input_key, shape) if image is None else jnp.asarray(image)
        return jax.grad(lambda x: layers.apply(network.body, weights, x)[0])(x)

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    return np.asarray(_compiled(lambda keys: jax.lax.map(one, keys, batch_size=200))(keys), float)


def _networks(
    network: Network, side: int, settings: Settings
) -> tuple[Callable[[Any, Array], Array], list[tuple[Any, Array]]]:
    """The loss as a function of weights and input, and both for a few networks, in float64."""
    shape = network.input_shape(side)

    def loss(weights: Any, x: Array) -> Array:
        return -jax.nn.log_softmax(layers.apply(network.body, weights, x))[0]

    @_compiled
    def draw(key: Key[Array, ""]) -> tuple[Any, Array]:
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(network.body, weights_key, shape)
        return weights, jax.random.normal(input_key, shape)

    keys = jax.random.split(jax.random.key(settings.seed), NETWORKS_OF_AN_IDENTITY)
    return loss, [draw(key) for key in keys]


def _relative(found: Any, expected: Any) -> float:
    """The largest deviation of two arrays, relative to the largest entry of the second."""
    expected = np.asarray(expected)
    return float(np.max(np.abs(np.asarray(found) - expected)) / np.max(np.abs(expected)))


@simulates("lemma-2")
def lemma_2(settings: Settings) -> Outcome:
    """A small attack, built from the gradient, against ε_p ‖∂_x L‖_q."""
    size, worst = 1e-6, 0.0
    with jax.enable_x64(True):
        loss, drawn = _networks(architectures.mlp(width=32, depth=2), 4, settings)
        value, slope = _compiled(loss), _compiled(jax.grad(loss, argnums=1))
        for weights, x in drawn:
            gradient = np.asarray(slope(weights, x))
            for p in (1, 2, "inf"):
                raised = value(weights, x + norms.attack(gradient, p, size)) - value(weights, x)
                worst = max(worst, _relative(raised, norms.damage(gradient, p, size)))
    what = "L(x + δ) − L(x) against ε‖∂L‖_q, best attack of size 1e-6, p = 1, 2, ∞"
    return _identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-3)


@simulates("proposition-3")
def proposition_3(settings: Settings) -> Outcome:
    """What augmentation with ℓ_2 attacks adds to the weights' gradient, against the penalty's."""
    size, worst = 1e-6, 0.0
    with jax.enable_x64(True):
        loss, drawn = _networks(architectures.mlp(width=32, depth=2), 4, settings)
        slope, learn = _compiled(jax.grad(loss, argnums=1)), _compiled(jax.grad(loss))
        penalty = _compiled(
            jax.grad(lambda weights, x: jnp.linalg.norm(jax.grad(loss, 1)(weights, x)))
        )
        for weights, x in drawn:
            moved = x + norms.attack(np.asarray(slope(weights, x)), 2, size)
            three = learn(weights, moved), learn(weights, x), penalty(weights, x)
            for attacked, clean, penalized in zip(*map(jax.tree.leaves, three), strict=True):
                # (L + L_attacked)/2 against L + ε/2 ‖∂L‖, the gradient of L taken off both
                worst = max(worst, _relative((attacked - clean) / size, penalized))
    what = "∂_w of the mean of clean and attacked loss against ∂_w of L + ε/2 ‖∂_x L‖₂"
    return _identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-3)


@simulates("theorem-4")
def theorem_4(settings: Settings) -> Outcome:
    """The exponent of a dense network."""
    network, sides = architectures.mlp(width=64, depth=2), (4, 16)
    values = np.stack([_norms(network, side, settings, 1.0) for side in sides], axis=1)
    what = "exponent of E‖∂f‖₁, mlp of width 64, sides 4 and 16"
    return _exponent(what, predict(network, 1).exponent, values, [3 * s**2 for s in sides])


@simulates("theorem-5")
def theorem_5(settings: Settings) -> Outcome:
    """A graph with skip connections: the share of one input, against the random walk."""
    graph = paths.GRAPHS["two nested skips"]
    output = max(graph)

    def value(weights: dict[Any, Array], x: Array) -> Array:
        found: dict[Any, Array] = dict(zip(graphs.inputs(graph), x, strict=True))
        for node, read in graph.items():
            if read:
                total = weights[node] @ jnp.stack([found[other] for other in read])
                found[node] = total if node == output else jax.nn.relu(total)
        return found[output]

    def one(key: Key[Array, ""]) -> Array:
        weights = {}
        for node, read in graph.items():
            variance = (1 if node == output else 2) / max(len(read), 1)
            drawn = jax.random.normal(jax.random.fold_in(key, node), (len(read),))
            weights[node] = jnp.sqrt(variance) * drawn
        x = jax.random.normal(key, (len(graphs.inputs(graph)),))
        return jax.grad(value, argnums=1)(weights, x)[0] ** 2

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    squares = np.asarray(_compiled(jax.vmap(one))(keys))
    what = "E(∂f/∂x_1)² of a graph with two nested skips, against the walk's probability"
    return _mean(what, graphs.absorption(graph, output)[graphs.inputs(graph)[0]], squares)


@simulates("condition-s")
def condition_s(settings: Settings) -> Outcome:
    """Energy on the pixels that a strided kernel reads four times."""
    first = Conv(4, HE, stride=2)
    network = Network("strided", serial(first, ReLU(), Flatten(), Dense(1, LAST)), channels=1)
    reads = connections(first, 4).sum(axis=0)
    chosen = np.outer(reads, reads) == 4
    energies = (_gradients(network, 4, settings)[..., 0] ** 2 * chosen).sum(axis=(1, 2))
    expected = (logit_energy_map(network.body, (4, 4, 1)) * chosen).sum()
    return _mean("energy of pixels read four times, 3×3 kernel, stride 2", expected, energies)


@simulates("corollary-6")
def corollary_6(settings: Settings) -> Outcome:
    """The energy of a convolutional network with a dense head."""
    network = architectures.cnn(width=4)
    what = "E‖∂f‖₂² of cnn, 4 convolutions of 4 channels, dense head, side 8"
    return _mean(what, predict(network, 2).second_moment, _norms(network, 8, settings, 2.0) ** 2)


@simulates("average-pooling")
def average_pooling(settings: Settings) -> Outcome:
    """Two average poolings with 1×1 kernels, whose patches do not overlap."""
    body = serial(AvgPool(2), Conv(8, HE, kernel=1), ReLU(), AvgPool(2), Flatten(), Dense(1, LAST))
    network = Network("pooled", body)
    what = "E‖∂f‖₂² of a 1×1 convolution between two 2×2 average pools, side 8"
    return _mean(what, 1 / 16, _norms(network, 8, settings, 2.0) ** 2)


@simulates("loss-gradient")
def loss_gradient(settings: Settings) -> Outcome:
    """∂_x L by automatic differentiation, against the sum over logits."""
    network, worst = architectures.cnn(width=4, depth=2), 0.0
    with jax.enable_x64(True):
        loss, drawn = _networks(network, 4, settings)
        slope = _compiled(jax.grad(loss, argnums=1))
        apply = partial(layers.apply, network.body)
        logits, slopes = _compiled(apply), _compiled(jax.jacrev(apply, argnums=1))
        for weights, x in drawn:
            r = loss_residual(logits(weights, x), jnp.array(0))
            expected = np.tensordot(r, slopes(weights, x), axes=1)
            worst = max(worst, _relative(slope(weights, x), expected))
    what = "∂_x L against Σ (softmax − label)_k ∂_x f_k, cnn with two convolutions"
    return _identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-9)


@simulates("euler-identity")
def euler_identity(settings: Settings) -> Outcome:
    """x · ∂_x L against the residual-weighted sum of the logits."""
    network, worst = architectures.cnn(width=4, depth=2), 0.0
    with jax.enable_x64(True):
        loss, drawn = _networks(network, 4, settings)
        slope = _compiled(jax.grad(loss, argnums=1))
        logits = _compiled(partial(layers.apply, network.body))
        for weights, x in drawn:
            f = logits(weights, x)
            expected = np.dot(loss_residual(f, jnp.array(0)), f)
            worst = max(worst, _relative(np.sum(x * slope(weights, x)), expected))
    what = "x·∂_x L against Σ (softmax − label)_k f_k, cnn with two convolutions"
    return _identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-9)


@simulates("sqrt-d-law")
def sqrt_d_law(settings: Settings) -> Outcome:
    """The exponent of the first-order damage of ℓ_2 attacks."""
    # along x the gradient knows the logits (Euler's identity), which adds terms of order 1/d; and
    # narrow layers tie the size of the logits to that of their gradients: so all is large here
    network, sides = architectures.mlp(width=1024, depth=2), (16, 64)
    ds = [3 * side**2 for side in sides]
    values = [
        norms.attack_size(0.01, 2, float(x))
        * _norms(network, side, settings, 2.0, "loss", "constant")
        for side, x in zip(sides, ds, strict=True)
    ]
    slope = predict(network, 2, "loss").slope(ds)
    assert slope is not None
    what = "exponent of E ε₂‖∂L‖₂ at ε₂ ∝ √d, mlp of width 1024, sides 16 and 64"
    return _exponent(what, slope + 0.5, np.stack(values, axis=1), ds)


@simulates("initialization")
def initialization(settings: Settings) -> Outcome:
    """Glorot's energy between d below and above the width."""
    network, sides = architectures.mlp(width=64, depth=1, init="glorot"), (2, 16)
    ds = [3 * side**2 for side in sides]
    law = predict(network, 2).second_moment
    expected = np.diff(np.log([float(law.subs(d, x)) for x in ds]))[0] / np.log(ds[1] / ds[0])
    energies = np.stack([_norms(network, side, settings, 2.0) ** 2 for side in sides], axis=1)
    what = "exponent of E‖∂f‖₂², glorot mlp of width 64, sides 2 and 16"
    return _exponent(what, expected, energies, ds)


@simulates("finite-width")
def finite_width_law(settings: Settings) -> Outcome:
    """The exact mean norm of a narrow network."""
    network = architectures.mlp(finite_width.WIDTHS, channels=1)
    what = "E‖∂f‖₁ at d = 64, mlp of widths 20, 30, 10"
    return _mean(what, finite_width.MEAN_L1, _norms(network, 8, settings, 1.0))


@simulates("spread")
def spread(settings: Settings) -> Outcome:
    """The variance of the logarithm of the norm, of networks that are not dead."""
    network = architectures.mlp(finite_width.WIDTHS, channels=1)
    found = _norms(network, 8, settings, 2.0)
    logs = np.log(found[found > 0])
    squares = (logs - logs.mean()) ** 2 * len(logs) / (len(logs) - 1)
    expected = predict(network, 2).distribution(64).log_variance(2)
    return _mean("Var log‖∂f‖₂ at d = 64, mlp of widths 20, 30, 10", expected, squares)


@simulates("moments")
def moments(settings: Settings) -> Outcome:
    """A third moment, at an order between 1 and 2, behind leaky ReLUs."""
    network = architectures.mlp((9, 5), channels=1, activation="leaky-relu")
    expected = predict(network, 1).distribution(16).moment(1.5, 3)
    what = "E‖∂f‖_q³ for q = 3/2 at d = 16, leaky mlp of widths 9, 5"
    return _mean(what, expected, _norms(network, 4, settings, 1.5) ** 3)


@simulates("distribution")
def distribution(settings: Settings) -> Outcome:
    """The share of networks below the median of the exact law, at a width of 3."""
    network = architectures.mlp((3, 12), channels=1)
    law = predict(network, 1).distribution(16)
    alive = 1 - float(law.dead)
    median = optimize.brentq(lambda x: law.distribution_function(x, 1) - 0.5, 1e-3, 1e3)
    below = _norms(network, 4, settings, 1.0) <= median
    return _mean("P(‖∂f‖₁ ≤ median of those not zero), d = 16, widths 3, 12", 1 - alive / 2, below)


@simulates("joint-law")
def joint_law(settings: Settings) -> Outcome:
    """The loss gradient of a narrow network, whose residual depends on its gradients."""
    network = architectures.mlp((9, 6), classes=5)
    found = _norms(network, 2, settings, 2.0, "loss", "constant")
    expected = predict(network, 2, "loss")(12)
    return _mean("E‖∂L‖₂ at d = 12, mlp of widths 9, 6, 5 classes", expected, found)


@simulates("boundary-distance")
def boundary_distance(settings: Settings) -> Outcome:
    """The share of networks within the median distance of a boundary, by Euler's identity."""
    network = architectures.mlp((4, 3), classes=1, channels=1)
    image = np.arange(1.0, 10.0).reshape(3, 3, 1)
    gradients = _gradients(network, 3, settings, image).reshape(settings.seeds, -1)
    alive = gradients[np.any(gradients != 0, axis=1)]
    distances = np.abs(alive @ image.ravel()) / np.sum(alive**2, axis=1) ** 0.5
    below = distances <= predict(network).distance(9).median * np.linalg.norm(image)
    return _mean("P(distance to f = 0 below its median), d = 9, widths 4, 3", 0.5, below)


@simulates("smooth-activations")
def smooth_activations(settings: Settings) -> Outcome:
    """The wide limit of a GELU network, at a width where its error is small."""
    network = architectures.mlp(1024, depth=2, activation="gelu")
    what = "E‖∂f‖₁ at d = 48, gelu mlp of width 1024"
    return _mean(what, predict(network, 1)(48), _norms(network, 4, settings, 1.0))


@simulates("shared-kernels")
def shared_kernels(settings: Settings) -> Outcome:
    """One convolution under a global average, at one white image: the exact excess over H."""
    body = serial(Conv(8, HE), ReLU(), GlobalAvgPool(), Dense(1, LAST))
    network = Network("pooled", body, channels=2)
    image = np.random.default_rng(settings.seed).standard_normal((6, 6, 2))
    energies = (_gradients(network, 6, settings, image) ** 2).sum(axis=(1, 2, 3))
    what = "E‖∂f‖₂² over its value under H, 3×3 convolution, ReLU, global average"
    independent = float(gain(body, (6, 6, 2)))
    return _mean(what, failures.pooled_excess(image, 3), energies / independent)


@simulates("post-activation")
def post_activation(settings: Settings) -> Outcome:
    """A wide dense residual block with a ReLU after the addition."""
    width = 2048
    branch = serial(Dense(width, HE), ReLU(), Dense(width, HE))
    stem = (Flatten(), Dense(width, HE), ReLU())
    body = serial(*stem, residual(branch), ReLU(), Dense(1, LAST))
    network = Network("post-activation", body)
    energies = _norms(network, 4, settings, 2.0) ** 2 / float(gain(body, (4, 4, 3)))
    what = "E‖∂f‖₂² over its value under H, dense residual block of width 2048"
    return _mean(what, 4 / 3, energies)


@simulates("max-pooling")
def max_pooling(settings: Settings) -> Outcome:
    """2×2 maxima of independent pre-activations."""
    pooled = (MaxPool(2), ReLU(), Flatten(), Dense(1, LAST))
    network = Network("maximum", serial(Conv(8, HE, kernel=1), *pooled))
    energies = _norms(network, 8, settings, 2.0) ** 2
    what = "E‖∂f‖₂² over its value under H, 2×2 maximum of independent inputs"
    return _mean(what, 15 / 8, energies / float(gain(network.body, (8, 8, 3))))


@simulates("sparse-gradients")
def sparse_gradients(settings: Settings) -> Outcome:
    """A global maximum: the ℓ_1 norm of three coordinates, whatever the side."""
    body = serial(Conv(1, LAST, kernel=1), GlobalMaxPool(), Dense(1, LAST))
    network = Network("global maximum", body)
    what = "E‖∂f‖₁ of a 1×1 convolution and a global maximum, d = 768"
    # both weights are Gaussian: E|v| · 3 E|w| with variances 1 and 1/3
    expected = np.sqrt(2 / np.pi) * 3 * np.sqrt(2 / np.pi / 3)
    return _mean(what, expected, _norms(network, 16, settings, 1.0))
