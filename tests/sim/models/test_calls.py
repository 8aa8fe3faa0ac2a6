"""How factories and modules are called: shapes, keys, generators, modes, states, arguments."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from sim.independence.counterfactual import initialized
from sim.models import factories, loading
from sim.plan.plan import completed
from sim.scaling.configuration import Config
from theory.network import Network, output_shape, serial

SHAPE = (4, 4, 3)


def logits(factory):
    """Of two networks, after the checks that a run makes."""
    own = loading.Own("mine", factory)
    assert output_shape(Network("mine", serial(own), 3).body, SHAPE) == (5,)
    init, apply = loading.pair(own, SHAPE)
    return [apply(init(jax.random.key(i)), jnp.ones(SHAPE)) for i in range(2)]


def are_drawn(factory):
    one, other = logits(factory)
    return bool(jnp.all(one != other))


def given(factory):
    """What a factory is called with; "rngs" for the generators of Flax NNX."""
    make, takes_key = factories.bound(factory, SHAPE)
    found = make("a key" if takes_key else None)
    return [x if isinstance(x, str | tuple) or x is None else "rngs" for x in found]


CALLS = [
    (lambda shape: [shape], [SHAPE]),
    (lambda: [], []),
    (lambda width=3: [str(width)], ["3"]),
    (lambda *rest: [*rest], [SHAPE]),
    (lambda x, shape=(1, 1, 1): [x, shape], ["a key", SHAPE]),
    (lambda x, y: [x, y], [SHAPE, "a key"]),
    (lambda key: [key], ["a key"]),
    (lambda x, *, key: [x, key], [SHAPE, "a key"]),
    (lambda input_shape, width=2, *, rng: [input_shape, rng], [SHAPE, "a key"]),
    (partial(lambda width, shape: [str(width), shape], 3), ["3", SHAPE]),
]


@pytest.mark.parametrize(("factory", "expected"), CALLS)
def test_arguments_are_given_by_their_names_and_places(factory, expected):
    assert given(factory) == expected


def test_generators_of_nnx_are_made_from_the_key():
    nnx = pytest.importorskip("flax.nnx")

    def factory(shape, *, rngs):
        return nnx.Sequential(jnp.ravel, nnx.Linear(48, 5, rngs=rngs), lambda x: x[None])

    assert are_drawn(factory)


def test_modes_of_linen_are_those_of_test_time():
    nn = pytest.importorskip("flax.linen")

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train, deterministic=False):
            x = nn.BatchNorm(use_running_average=not train)(x.reshape(1, -1))
            return nn.Dense(5)(nn.Dropout(0.5, deterministic=deterministic)(x))

    assert are_drawn(lambda shape: Net())


def test_modules_of_equinox_with_a_state_and_a_key():
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        linear: eqx.nn.Linear
        norm: eqx.nn.BatchNorm

        def __init__(self, key):
            self.linear = eqx.nn.Linear(48, 5, key=key)
            self.norm = eqx.nn.BatchNorm(3, axis_name="batch", mode="batch")

        def __call__(self, x, state, key):
            x, state = self.norm(x, state)
            jax.random.split(key)
            return self.linear(x.ravel()), state

    assert are_drawn(lambda shape, *, key: eqx.nn.make_with_state(Net)(key))


def test_pairs_of_stax():
    from jax.example_libraries import stax

    assert are_drawn(lambda shape: stax.serial(stax.Flatten, stax.Dense(5)))


@pytest.mark.parametrize("kind", ["transform", "transform_with_state"])
def test_functions_of_haiku(kind):
    hk = pytest.importorskip("haiku")

    def function(x):
        if kind == "transform_with_state":
            x = x + hk.get_state("shift", (), init=jnp.ones)
        return hk.Linear(5)(hk.Flatten()(x))

    assert are_drawn(lambda: getattr(hk, kind)(function))


def test_models_of_keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    layers = keras.layers

    def factory():
        return keras.Sequential(
            [layers.BatchNormalization(), layers.Flatten(), layers.Dropout(0.5), layers.Dense(5)]
        )

    assert are_drawn(factory)
    init, _ = loading.pair(loading.Own("mine", factory), SHAPE)
    names = sorted(jax.eval_shape(init, jax.random.key(0)))
    drawn = [name for name, is_random in zip(names, initialized(init)[1], strict=True) if is_random]
    assert drawn == ["0002 kernel"]


def test_outputs_that_are_several_are_refused():
    def factory(shape):
        return lambda key: jax.random.normal(key, (48, 5)), lambda w, x: (x.ravel() @ w, w)

    with pytest.raises(loading.ModelError, match="gives a tuple of 2 arrays for one input"):
        logits(factory)


def test_arguments_are_words_or_json():
    assert factories.arguments(["a=1", "b=text", "c=[1, 2]", 'd="1"', "e=true"]) == {
        "a": 1, "b": "text", "c": [1, 2], "d": "1", "e": True,
    }  # fmt: skip
    assert factories.arguments(['{"a": {"b": 1}}']) == {"a": {"b": 1}}
    assert factories.arguments([]) == {}


@pytest.mark.parametrize("words", [["a"], ["1=2"], ['{"a": 1']])
def test_other_words_are_refused(words):
    with pytest.raises(loading.ModelError, match="--model-args"):
        factories.arguments(words)


def test_arguments_reach_the_factory(tmp_path, monkeypatch):
    (tmp_path / "with_arguments.py").write_text(
        "def linear(shape, classes):\n"
        "    import jax\n"
        "    init = lambda key: jax.random.normal(key, (48, classes))\n"
        "    return init, lambda w, x: x.ravel() @ w\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    network = loading.network("with_arguments:linear", 3, ["classes=7"])
    assert output_shape(network.body, SHAPE) == (7,)


def test_arguments_of_no_model_are_refused():
    with pytest.raises(ValueError, match=r"--model-args are those of a --model\."):
        completed(Config(model_args=("a=1",)))
    with pytest.raises(ValueError, match=r"--batch-statistics are those of a --model\."):
        completed(Config(batch_statistics=True))


def test_batch_statistics_are_for_pytorch():
    own = loading.Own("mine", lambda shape: (lambda key: 0, lambda w, x: x), batch_statistics=True)
    with pytest.raises(loading.ModelError, match=r"--batch-statistics are for modules of PyTorch"):
        loading.pair(own, SHAPE)


NAMES = {
    "torchvision:resnet18": (32, ["num_classes=5"]),
    "torchvision:vit_b_32": (32, ["num_classes=5"]),
    "timm:vit_tiny_patch16_224": (32, ["num_classes=5", "depth=1"]),
    "transformers:ViTForImageClassification": (
        32, ["num_labels=5", "num_hidden_layers=1", "hidden_size=24", "num_attention_heads=2"],
    ),
    "keras:MobileNetV2": (32, ["classes=5", "alpha=0.35"]),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_models_of_libraries_are_built_by_their_name(name):
    library = name.partition(":")[0]
    pytest.importorskip("keras" if library == "keras" else "torchax")
    pytest.importorskip(library)
    side, arguments = NAMES[name]
    network = loading.network(name, 3, arguments)
    assert output_shape(network.body, (side, side, 3)) == (5,)


def test_weights_are_never_downloaded():
    from sim.models import names

    with pytest.raises(loading.ModelError, match="never downloaded: leave pretrained out"):
        names.factory("timm", "resnet18", {"pretrained": True})
