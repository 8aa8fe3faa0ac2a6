"""Samples do not depend on how the work is cut, and sizes share their random numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.models import loading
from sim.running.memory import bytes_per_seed
from sim.sampling import chunks, engine, seeds
from sim.sampling.draws import Draws
from sim.sampling.engine import batch_size
from sim.sampling.norms import sample, sampler, sweep
from theory import architectures, token_architectures
from theory.network import Network, serial

NET = architectures.resnet(width=6, depth=2)
DRAWS = Draws(("loss", "logit"), (1.0, float("inf")), input="photo", inputs_per_seed=2)


@pytest.fixture(scope="module")
def whole():
    return sample(NET, 8, range(12), DRAWS)


def test_batches_and_the_number_of_seeds_do_not_matter(whole):
    """And progress counts every seed."""
    for batch in (1, 5, 12):
        done = []
        found = sample(NET, 8, range(12), DRAWS, batch=batch, advance=done.append)
        np.testing.assert_allclose(found, whole, rtol=2e-5)
        assert sum(done) == 12
    np.testing.assert_allclose(sample(NET, 8, [7, 3], DRAWS), whole[[7, 3]], rtol=2e-5)
    assert len(np.unique(whole[:, 0, 0])) == 12


@pytest.mark.parametrize("name", ["photo", "digits", "gaussian", "constant"])
def test_another_key_gives_other_samples(name):
    first, second = (
        sample(NET, 8, range(4), Draws(("loss",), (1.0,), input=name, seed=seed)) for seed in (0, 1)
    )
    assert np.all(first != second)
    assert np.all(np.isfinite(first))


def test_sizes_share_their_random_numbers():
    """Norms of one seed at two sizes are correlated; those of different seeds are not."""
    small, large = (
        sample(architectures.cnn(width=4), side, range(400), Draws(("logit",), (2.0,)))[:, 0, 0]
        for side in (16, 32)
    )
    assert np.corrcoef(small, large)[0, 1] > 0.3
    assert abs(np.corrcoef(small[1:], large[:-1])[0, 1]) < 0.2


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("net", [NET, architectures.mlp(width=12)], ids=["resnet", "mlp"])
def test_weights_shared_by_sizes_are_those_of_one_size(net, lazy):
    draws = Draws(("loss",), (1.0, 2.0), lazy=lazy)
    together = sweep(net, (8, 16), range(6), draws)
    for samples, side in zip(together, (8, 16), strict=True):
        np.testing.assert_allclose(samples, sample(net, side, range(6), draws), rtol=2e-5)


def test_one_sampler_for_many_calls(whole):
    draw = sampler(NET, (8,), DRAWS, 4)
    parts = [draw(part, lambda done: None)[0] for part in ([0, 1, 2, 3], [4, 5, 6, 7, 8])]
    np.testing.assert_allclose(np.concatenate(parts), whole[:9], rtol=2e-5)


@pytest.mark.parametrize("net", [NET, architectures.mlp(width=12)], ids=["resnet", "mlp"])
def test_samples_are_the_same_bits_however_the_work_is_cut(net):
    draws = Draws(("loss",), (1.0, 2.0), lazy=False)
    kept = {}

    def keep(side, seeds, norms):
        kept.update({(side, seed): row for seed, row in zip(seeds.tolist(), norms, strict=True)})

    many = 10**6
    whole = sampler(net, (8, 16), draws, many)(range(40), lambda done: None, keep)
    for i, side in enumerate((8, 16)):
        alone = sampler(net, (side,), draws, many)
        for wanted in (range(40), [3], range(17, 40), [39, 2, 20]):
            some = alone(wanted, lambda done: None)[0]
            np.testing.assert_array_equal(some, whole[i, list(wanted)])
        np.testing.assert_array_equal([kept[side, seed] for seed in range(40)], whole[i])


@pytest.mark.parametrize(
    ("net", "batch"),
    [(architectures.cnn(width=4), 1), (architectures.mlp(width=8, activation="gelu"), 2)],
    ids=["cnn", "mlp"],
)
def test_samples_are_the_same_bits_whatever_the_length_of_a_chunk(net, batch, monkeypatch):
    """One batch in a chunk is the case that XLA would compile in another way."""
    draws = Draws(("loss",), (1.0,))
    found = []
    for chunk in (1, 16):
        monkeypatch.setitem(chunks.CHUNK, engine.platform(), chunk)
        found.append(sampler(net, (8,), draws, 10**6, batch)(range(20), lambda done: None))
    np.testing.assert_array_equal(*found)


def test_batches_shrink_with_the_image():
    draws = Draws(("loss",), (1.0,), lazy=False)
    net = architectures.mlp(width=64)
    sizes = [batch_size(net, side, draws) for side in (8, 64, 512)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1 < sizes[0]
    assert bytes_per_seed(net.body, net.input_shape(128), 1) > 10 * bytes_per_seed(
        net.body, net.input_shape(32), 1
    )


def test_convolutions_are_computed_seed_by_seed_on_a_processor():
    assert batch_size(NET, 8, DRAWS) == 1 or jax.default_backend() != "cpu"


def own(factory):
    return Network("mine", serial(loading.Own("mine", factory)), 3)


def following(shape):
    """Three logits whose gradient has norm 1 at every side, by a scale that follows the side."""
    d = shape[0] * shape[1] * shape[2]

    def init(key):
        return {"scale": jnp.full((), d**-0.5), "signs": jax.random.rademacher(key, (d,), float)}

    return init, lambda w, x: jnp.stack([(x.ravel() @ w["signs"]) * w["scale"]] * 3)


def biased(shape):
    """Biases as Equinox and PyTorch draw them, uniform to ±1/√(fan in), through an activation."""
    d = shape[0] * shape[1] * shape[2]

    def init(key):
        keys = jax.random.split(key, 3)
        bias = jax.random.uniform(keys[0], (8,), minval=-(d**-0.5), maxval=d**-0.5)
        return jax.random.normal(keys[1], (d, 8)) / d, bias, jax.random.normal(keys[2], (8, 3))

    return init, lambda w, x: jax.nn.relu(x.ravel() @ w[0] + w[1]) @ w[2]


def deepening(shape):
    """As many layers as the side has pixels."""
    d = shape[0] * shape[1] * shape[2]

    def init(key):
        keys = jax.random.split(key, shape[0])
        return [jax.random.normal(keys[0], (d, 3)), *[jax.random.normal(k, (3, 3)) for k in keys]]

    def apply(weights, x):
        x = x.ravel()
        for w in weights:
            x = jnp.tanh(x @ w / len(w) ** 0.5)
        return x

    return init, apply


LOGIT = Draws(("logit",), (2.0,))
SHARED = {following: [], biased: ["[0][2]"], deepening: []}


@pytest.mark.parametrize("factory", SHARED)
def test_only_what_is_computed_alike_is_shared_by_sides(factory):
    net, sides = own(factory), (2, 4, 8)
    assert [jax.tree_util.keystr(x) for x in seeds.shared(net, sides, LOGIT)] == (SHARED[factory])
    together = sweep(net, sides, range(6), LOGIT)
    for samples, side in zip(together, sides, strict=True):
        np.testing.assert_allclose(samples, sample(net, side, range(6), LOGIT), rtol=2e-5)
    if factory is following:
        np.testing.assert_allclose(together, 1, rtol=1e-5)


def test_sharing_what_only_has_the_same_shape_is_noticed(monkeypatch):
    def shapes(function, key):
        return [str(x.shape) for x in jax.eval_shape(function, key)]

    monkeypatch.setattr(seeds.digest, "of_outputs", shapes)
    monkeypatch.setattr(
        seeds, "_leaves", seeds._leaves.__wrapped__
    )  # neither reads nor fills its cache
    together = sweep(own(following), (2, 4), range(2), LOGIT)
    np.testing.assert_allclose(together[1], 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("net", "count"),
    [
        (architectures.resnet(width=6), 10),
        (architectures.mlp(width=12), 4),
        (token_architectures.vit(width=8), 15),
    ],
    ids=["resnet", "mlp", "vit"],
)
def test_described_networks_share_what_does_not_grow(net, count):
    assert len(seeds.shared(net, (8, 16), LOGIT)) == count
