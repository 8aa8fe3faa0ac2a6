"""Kinds of users' models that are measured: recurrent, scanned, complex, of half precision."""

import json
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.models import loading
from sim.sampling import norms
from sim.sampling.draws import Draws
from theory.network import Network, output_shape, serial

DRAWS = Draws(("logit",), (2.0,))


def network(factory):
    return Network("mine", serial(loading.Own("mine", factory)), 3)


def recurrent(cell, shape, key):
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.rnn = nnx.RNN(getattr(nnx, cell)(3 * shape[1], 8, rngs=rngs))
            self.head = nnx.Linear(8, 4, rngs=rngs)

        def __call__(self, x):
            return self.head(self.rnn(x.reshape(*x.shape[:2], -1))[:, -1])

    return Net(nnx.Rngs(key))


def scanned(shape, key):
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, rngs):
            @nnx.split_rngs(splits=3)
            @nnx.vmap(in_axes=(0,), out_axes=0)
            def layers(rngs):
                return nnx.Linear(16, 16, rngs=rngs)

            self.first = nnx.Linear(3 * shape[0] * shape[1], 16, rngs=rngs)
            self.layers = layers(rngs)

        def __call__(self, x):
            @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
            def forward(x, layer):
                return nnx.tanh(layer(x))

            return forward(self.first(x.reshape(x.shape[0], -1)), self.layers)

    return Net(nnx.Rngs(key))


CELLS = ["SimpleCell", "GRUCell", "LSTMCell", "OptimizedLSTMCell"]
NNX = {cell: partial(recurrent, cell) for cell in CELLS} | {"scan": scanned}


@pytest.mark.parametrize("name", NNX)
def test_stateful_modules_of_nnx_are_measured(name):
    found = norms.sweep(network(NNX[name]), (2, 4), range(2), DRAWS, batch=1)
    assert np.all(np.isfinite(found) & (found > 0))


def linear(shape, of=lambda x: x.ravel(), dtype=jnp.float32):
    d = shape[0] * shape[1] * shape[2]

    def init(key):
        return jax.random.normal(key, (d, 4)) / d**0.5

    return init, lambda w, x: of(x).astype(dtype) @ w.astype(dtype)


def sample(factory, side=4):
    return norms.sample(network(factory), side, range(8), DRAWS, batch=1)


@pytest.mark.parametrize(("dtype", "digits"), [(jnp.bfloat16, 8), (jnp.float16, 11)])
def test_gradients_of_half_precision_are_measured_in_single_precision(dtype, digits):
    found = sample(partial(linear, dtype=dtype))
    np.testing.assert_allclose(found, sample(linear), rtol=2.0**-digits)
    assert np.any(found != sample(linear))


def test_a_unitary_transform_to_complex_numbers_changes_no_norm():
    # the logit Re(F x)·w, whose gradient is Re(F w): half of ‖w‖² in the mean, by symmetry
    def spectrum(x):
        return jnp.real(jnp.fft.fft2(x, axes=(0, 1), norm="ortho")).ravel()

    plain, found = sample(linear, 8), sample(partial(linear, of=spectrum), 8)
    assert np.mean(found**2) / np.mean(plain**2) == pytest.approx(0.5, rel=0.1)
    own = loading.Own("mine", partial(linear, of=spectrum))
    assert len(loading.digest(own, (4, 4, 3))) == 64


def test_logits_that_are_no_real_numbers_are_refused():
    for dtype in (jnp.complex64, jnp.int32):
        with pytest.raises(
            loading.ModelError, match=r"gives logits of type (complex64|int32), not"
        ):
            output_shape(network(partial(linear, dtype=dtype)).body, (4, 4, 3))


def scaling(*flags, cwd=None):
    command = [sys.executable, "-m", "sim.scaling", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_several_devices_measure_the_same_bits():
    flags = "--model examples.models:plain_mlp --sizes 2 4 --seeds 8 --input gaussian --norms 1"
    one, two = (scaling(*flags.split(), "--json", "-", *more) for more in ((), ("--devices", "2")))
    assert two.returncode == 0, two.stderr
    assert json.loads(two.stdout)["points"] == json.loads(one.stdout)["points"]
