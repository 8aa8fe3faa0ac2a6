"""Modules of PyTorch: their own weights, their own gradients, and one sentence where that fails."""

import json
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchax")

from examples import torch_models  # noqa: E402
from sim.independence.sampling import NotDecoupledError, reading  # noqa: E402
from sim.models import host, loading, torch_modules  # noqa: E402
from sim.networks import layers  # noqa: E402
from sim.sampling import diagnosis, norms, seeds  # noqa: E402
from sim.sampling.draws import Draws  # noqa: E402
from theory.network import Network, output_shape, serial  # noqa: E402

F = torch.nn.functional
FACTORIES = {
    "mlp": torch_models.mlp,
    "Cnn": lambda shape: torch_models.Cnn(),
    "LeNet": torch_models.LeNet,
    "ResNet": lambda shape: torch_models.ResNet(width=4),
    "ViT": torch_models.ViT,
}
LOGIT = Draws(("logit",), (1.0,))


def own(factory):
    return loading.Own("mine", factory)


def network(factory):
    return Network("mine", serial(own(factory)), 3)


def gradient(module, x):
    """The input gradient (side, side, channels) of the first logit, by PyTorch's autograd."""
    x = torch.tensor(np.asarray(x)).permute(2, 0, 1)[None].requires_grad_()
    (found,) = torch.autograd.grad(module.eval()(x)[0, 0], x)
    return found[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", FACTORIES)
def test_gradients_are_those_of_autograd_at_weights_of_the_modules_own_code(name):
    shape = (8, 8, 3)
    init, apply = loading.pair(own(FACTORIES[name]), shape)
    key = jax.random.key(3)
    x = jax.random.normal(key, shape)
    with torch_modules.seeded(torch, host.seed_of(jax.random.key_data(key))):
        module = FACTORIES[name](shape)
        if name == "Cnn":
            module(torch.zeros(1, 3, 8, 8))
    expected = gradient(module, x)
    found = jax.jit(jax.grad(lambda x: apply(init(key), x)[0]))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def mean_norm(factory, side, count):
    """Mean ‖∂f_0‖₁ and its standard error, as one would write it in PyTorch."""
    found = []
    for seed in range(count):
        torch.manual_seed(seed)
        x = torch.randn(1, 3, side, side, requires_grad=True)
        (g,) = torch.autograd.grad(factory((side, side, 3)).eval()(x)[0, 0], x)
        found.append(g.abs().sum().item())
    return np.mean(found), np.std(found, ddof=1) / count**0.5


def test_mean_norms_are_those_of_a_loop_of_pytorch():
    found = norms.sample(network(torch_models.LeNet), 8, range(64), LOGIT, batch=1).ravel()
    error = np.std(found, ddof=1) / len(found) ** 0.5

    def z(factory):
        mean, other = mean_norm(factory, 8, 128)
        return abs(np.mean(found) - mean) / np.hypot(error, other)

    def broken(shape):
        module = torch_models.LeNet(shape)
        torch.nn.init.kaiming_uniform_(module.fc1.weight)
        return module

    assert z(torch_models.LeNet) < 4
    assert z(broken) > 8


def test_layers_of_one_shape_have_the_same_weights_at_all_sides():
    found = seeds.shared(network(torch_models.mlp), (4, 8), LOGIT)
    names = {str(path[-1].key) for path in found}
    assert names == {"3.weight", "3.bias", "5.weight", "5.bias"}


def test_random_numbers_of_others_go_on():
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    loading.pair(own(torch_models.LeNet), (8, 8, 3))[0](jax.random.key(0))
    assert torch.equal(torch.randn(3), expected)


class Parts(torch.nn.Module):
    """What tutorials do besides: tied weights, tensors as attributes, constants in `forward`."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(48, 48, bias=False)
        self.second = torch.nn.Linear(48, 48, bias=False)
        self.second.weight = self.first.weight
        self.table = torch.linspace(-1, 1, 48)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x):
        x = F.relu(self.first(x.flatten(1))) * self.table
        ones = torch.ones(48) + torch.arange(48)
        return self.second(x * ones / self.scale)[:, :5]


def test_tied_weights_buffers_and_attributes():
    init, apply = loading.pair(own(lambda shape: Parts()), (4, 4, 3))
    assert set(jax.eval_shape(init, jax.random.key(0))) == {"first.weight", "table", "scale"}
    key = jax.random.key(1)
    with torch_modules.seeded(torch, host.seed_of(jax.random.key_data(key))):
        module = Parts()
    x = jax.random.normal(key, (4, 4, 3))
    found = jax.grad(lambda x: apply(init(key), x)[0])(x)
    np.testing.assert_allclose(found, gradient(module, x), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["half", "bfloat16", "double"])
def test_modules_of_other_precisions(kind):
    def factory(shape):
        return getattr(torch_models.LeNet(shape), kind)()

    assert output_shape(network(factory).body, (8, 8, 3)) == (10,)


def test_float64_is_computed_as_such():
    with jax.enable_x64(True):
        init, apply = loading.pair(own(torch_models.LeNet), (4, 4, 3))
        weights = init(jax.random.key(0))
        x = jax.random.normal(jax.random.key(1), (4, 4, 3), jnp.float64)
        double, single = apply(weights, x), apply(weights, x.astype(jnp.float32))
        assert (double.dtype, single.dtype) == (jnp.float64, jnp.float32)
        np.testing.assert_allclose(double, single, rtol=1e-3, atol=1e-6)


def test_places_are_named_by_the_users_modules_and_lines():
    found = reading(network(torch_models.LeNet), 8, 1)
    weights = [place for place in found.places if place.kind == "weights"]
    names = [place.scope.removeprefix("0:Own/").split("/")[0] for place in weights]
    assert names == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert all(str(place.source).startswith("torch_models.py:") for place in weights)
    assert not found.coupled


def test_batch_statistics_are_those_of_the_inputs_of_a_seed():
    def factory(shape):
        return torch_models.ResNet(width=4)

    mine = loading.Own("mine", factory, batch_statistics=True)
    init, apply = loading.pair(mine, (8, 8, 3))
    key = jax.random.key(2)
    xs = jax.random.normal(key, (3, 8, 8, 3))
    with torch_modules.seeded(torch, host.seed_of(jax.random.key_data(key))):
        module = factory((8, 8, 3)).train()
    expected = module(torch.tensor(np.asarray(xs)).permute(0, 3, 1, 2)).detach().numpy()
    found = jax.vmap(lambda x: apply(init(key), x), axis_name=layers.INPUTS)(xs)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    draws = Draws(("logit",), (1.0,), inputs_per_seed=2)
    body = Network("mine", serial(mine), 3)
    assert output_shape(body.body, (8, 8, 3)) == (10,)
    assert np.all(norms.sample(body, 8, range(2), draws, batch=1) > 0)


def test_a_head_that_starts_at_zero_is_named():
    def factory(shape):
        module = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(48, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)
        )
        torch.nn.init.zeros_(module[3].weight)
        return module

    found = diagnosis.why_degenerate(network(factory), 4, LOGIT)
    assert found == "the weights 3.weight (4×8) are zero"


class Pooled(torch.nn.Module):
    """Has an operator that torchax lacks."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Linear(16, 5)

    def forward(self, x):
        return self.head(F.adaptive_max_pool2d(self.conv(x).relu(), 2).flatten(1))


def test_what_torchax_lacks_is_measured_by_pytorch_and_not_predicted():
    """A prediction would be the measurement: no weight can be copied."""
    found = norms.sample(network(Pooled), 8, range(48), LOGIT, batch=1).ravel()
    mean, error = mean_norm(lambda shape: Pooled(), 8, 48)
    ours = np.std(found, ddof=1) / len(found) ** 0.5
    assert abs(found.mean() - mean) < 4 * np.hypot(ours, error)
    init, apply = loading.pair(own(Pooled), (8, 8, 3))
    key, x = jax.random.key(3), jax.random.normal(jax.random.key(4), (8, 8, 3))
    with torch_modules.seeded(torch, host.seed_of(jax.random.key_data(key))):
        expected = gradient(Pooled(), x)
    np.testing.assert_allclose(jax.grad(lambda x: apply(init(key), x)[0])(x), expected, rtol=1e-5)
    with pytest.raises(NotDecoupledError, match="copied: aten::adaptive_max_pool2d"):
        reading(network(Pooled), 8, 1)
    batch = loading.Own("mine", Pooled, batch_statistics=True)
    with pytest.raises(loading.ModelError, match="torchax cannot compute PyTorch's operator aten"):
        output_shape(serial(batch), (8, 8, 3))


class Returns(torch.nn.Module):
    def __init__(self, of):
        super().__init__()
        self.layer, self.of = torch.nn.Linear(48, 4), of

    def forward(self, x):
        return self.of(self.layer(x.flatten(1)))


BAD = {
    "not a vector of logits: let it return the logits alone": lambda y: (y, y),
    "gives a dict of 1 arrays": lambda y: {"out": y},
    "gives one number for one input": lambda y: y[:, 0],
    "logits of type int32": torch.Tensor.int,
}


@pytest.mark.parametrize("sentence", BAD)
def test_what_cannot_be_measured_is_one_sentence(sentence):
    factory = partial(Returns, BAD[sentence])
    with pytest.raises(loading.ModelError) as caught:
        output_shape(network(factory).body, (4, 4, 3))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_factory_with_a_key_and_a_wrong_rank():
    with pytest.raises(loading.ModelError, match="takes a key, which its module does not need"):
        loading.pair(own(lambda shape, key: torch_models.LeNet(shape)), (4, 4, 3))
    with pytest.raises(loading.ModelError, match=r"fails at the input shape \(4, 4, 3\)"):
        loading.pair(own(lambda: torch.nn.Linear(7, 3)), (4, 4, 3))


def test_the_whole_command():
    options = "--sizes 4 8 --seeds 32 --input gaussian --norms 1 --quantity logit --json -"
    command = [sys.executable, "-m", "sim.scaling", "--model", "examples.torch_models:LeNet"]
    done = subprocess.run([*command, *options.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (fit,) = result["fits"]
    assert fit["basis"] == "gradient-independence"
    assert fit["agrees"]
    last = result["points"][-1]
    assert last["mean"] / last["predicted"] == pytest.approx(1, abs=0.12)
