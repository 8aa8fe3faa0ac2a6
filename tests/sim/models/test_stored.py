"""Weights from files: those that were written, and one sentence for those of another model."""

from functools import partial

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from flax.traverse_util import flatten_dict
from safetensors.flax import save_file

from sim.models import loading, stored
from sim.models.pairs import ModelError

SHAPE = (8, 8, 3)


class Net(linen.Module):
    features: int = 4

    @linen.compact
    def __call__(self, x):
        x = linen.BatchNorm(use_running_average=True)(linen.Conv(self.features, (3, 3))(x))
        return linen.Dense(5)(linen.relu(x).mean((1, 2)))


class Part(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(192, 4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.first(x.reshape(1, -1)))


def mlp(shape, key):
    return equinox.nn.MLP(192, 5, 4, 1, key=key)


NET = loading.Own("net", lambda shape: Net())
PART = loading.Own("part", lambda shape, key: Part(nnx.Rngs(key)))
MLP = loading.Own("mlp", mlp)


def drawn(model, seed=3):
    return loading.pair(model, SHAPE)[0](jax.random.key(seed))


def same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def kept(weights, path, change=lambda arrays: arrays):
    """Written under the names that Flax gives."""
    save_file(change(flatten_dict(weights, sep=".")), path)
    return stored.read(str(path))


def test_safetensors_of_flax(tmp_path):
    """Scales and running statistics, which no initializer draws, are those of the file, too."""
    weights = jax.tree.map(lambda x: x + 1, drawn(NET))
    found = kept(weights, tmp_path / "net.safetensors")
    same(stored.weights(found, NET, SHAPE), weights)


def test_a_folder_of_orbax(tmp_path):
    orbax = pytest.importorskip("orbax.checkpoint")
    weights, place = drawn(NET), tmp_path / "net"
    with orbax.StandardCheckpointer() as writer:
        writer.save(place, weights)
    same(stored.weights(stored.read(str(place)), NET, SHAPE), weights)


def test_a_file_of_equinox(tmp_path):
    place = str(tmp_path / "mlp.eqx")
    equinox.tree_serialise_leaves(place, mlp(SHAPE, jax.random.key(3)))
    same(stored.weights(stored.read(place), MLP, SHAPE), drawn(MLP))
    for model, words in ((NET, "mlp.eqx is of Equinox, and the model is not"),):
        with pytest.raises(ModelError, match=words):
            stored.weights(stored.read(place), model, SHAPE)
    wide = loading.Own("wide", lambda shape, key: equinox.nn.MLP(192, 5, 8, 1, key=key))
    with pytest.raises(ModelError, match=r"mlp\.eqx does not have the arrays of the model"):
        stored.weights(stored.read(place), wide, SHAPE)


def test_counters_may_be_missing(tmp_path):
    """Those of the random numbers of dropout, which Flax NNX keeps beside the weights."""
    own = {
        stored.name_of(place): x
        for place, x in jax.tree.leaves_with_path(drawn(PART))
        if jnp.issubdtype(x.dtype, jnp.floating)
    }
    assert sorted(own) == ["first.bias", "first.kernel"]
    save_file(own, tmp_path / "part.safetensors")
    found = stored.weights(stored.read(str(tmp_path / "part.safetensors")), PART, SHAPE)
    same(found["first"], drawn(PART)["first"])


def without(name, arrays):
    return {key: x for key, x in arrays.items() if key != name}


KERNEL = "params.Conv_0.kernel"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (partial(without, KERNEL), f"net.safetensors has no {KERNEL}, which the model has"),
        (partial(without, "batch_stats.BatchNorm_0.mean"), "has no batch_stats.BatchNorm_0.mean"),
        (lambda x: x | {KERNEL: x[KERNEL] / 0}, f"has numbers in {KERNEL} that are not finite"),
        (lambda x: x | {"more": jnp.ones(2)}, "has more, which the model does not have"),
        (lambda x: x | {"a": jnp.ones(2), "b": jnp.ones(3)}, "has a and 1 more arrays, which"),
        (
            lambda x: x | {KERNEL: jnp.swapaxes(x[KERNEL], 2, 3)},
            r"has a params.Conv_0.kernel of shape \(3, 3, 4, 3\), and the model one of shape "
            r"\(3, 3, 3, 4\)",
        ),
    ],
)
def test_weights_of_another_model_are_refused(change, words, tmp_path):
    found = kept(drawn(NET), tmp_path / "net.safetensors", change)
    with pytest.raises(ModelError, match=words):
        stored.weights(found, NET, SHAPE)


def test_tied_weights_may_have_two_names(tmp_path):
    weights = drawn(NET)
    found = kept(weights, tmp_path / "net.safetensors", lambda x: x | {"tied": x[KERNEL]})
    same(stored.weights(found, NET, SHAPE), weights)


def test_names_of_a_module_in_parallel(tmp_path):
    weights = drawn(NET)
    found = kept(
        weights, tmp_path / "net.safetensors", lambda x: {f"module.{k}": v for k, v in x.items()}
    )
    same(stored.weights(found, NET, SHAPE), weights)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.pt", "there is no file"),
        ("text.txt", r"reads \.safetensors, \.pt, \.pth, \.bin, \.eqx and folders of Orbax"),
        ("text.safetensors", r"cannot read .*text\.safetensors"),
        ("folder", "cannot read .*folder"),
    ],
)
def test_what_is_no_file_of_weights_is_one_sentence(name, words, tmp_path):
    for text in ("text.txt", "text.safetensors"):
        (tmp_path / text).write_text("no weights")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match=words) as error:
        stored.read(str(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_state_dictionary_of_pytorch(tmp_path):
    """Buffers that it leaves out are the module's, what is around it goes, and code is refused."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchax")

    class Cnn(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3)
            self.norm = torch.nn.BatchNorm2d(4)
            self.head = torch.nn.Linear(4, 5)
            self.register_buffer("scale", torch.ones(1), persistent=False)

        def forward(self, x):
            return self.head(self.scale * self.norm(self.conv(x)).relu().mean((2, 3)))

    torch.manual_seed(5)
    module, model = Cnn().eval(), loading.Own("cnn", Cnn)
    with torch.no_grad():
        module.norm.running_mean += 0.5
    x = jax.random.normal(jax.random.key(0), SHAPE)
    expected = module(torch.tensor(np.asarray(x)).permute(2, 0, 1)[None])[0].detach().numpy()
    torch.save(module.state_dict(), tmp_path / "plain.pt")
    torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "wrapped.pth")
    parallel = {f"module.{name}": x for name, x in module.state_dict().items()}
    torch.save(parallel, tmp_path / "parallel.bin")
    for name in ("plain.pt", "wrapped.pth", "parallel.bin"):
        weights = stored.weights(stored.read(str(tmp_path / name)), model, SHAPE)
        found = loading.pair(model, SHAPE)[1](weights, x)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    torch.save(torch.nn.Linear(2, 2), tmp_path / "code.pt")
    with pytest.raises(ModelError, match="cannot read"):
        stored.read(str(tmp_path / "code.pt"))
