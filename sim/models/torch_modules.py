"""Modules of PyTorch: computed by JAX (torchax), with weights that their own code draws.

A module is built anew for each seed. Its parameters and buffers, and the tensors that it keeps in
other attributes, are the weights of the pair; all else is that of one example, in evaluation mode.
The input is a batch of one image (1, channels, side, side), or of one vector where that fails.
"""

import hashlib
import importlib
import inspect
import random
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sim.models import host
from sim.models.pairs import ModelError, Pair, alone, fitting
from sim.networks import layers

TRACING = threading.RLock()
"""The example's tensors, and torchax' environment, are those of one thread at a time."""

DRAWING = threading.Lock()
"""PyTorch's random numbers are those of a process. Nobody who draws waits for who traces: XLA runs
both on the same threads."""

COMPUTING = threading.Lock()
"""A module that PyTorch itself computes has the weights of one call at a time."""

NEEDED = "a module of PyTorch needs torchax: pip install 'sqrt-d-law[torch]'"


class UnknownOperatorError(ModelError):
    """An operator that torchax lacks."""

    def __init__(self, operator: str) -> None:
        super().__init__(
            f"torchax cannot compute PyTorch's operator {operator}, which the model uses."
        )
        self.operator = operator


def adapted(
    make: Callable[[Any], Any], shape: tuple[int, ...], batch_statistics: bool = False
) -> Pair:
    """(init, apply) of the modules that `make` builds for one input shape.

    With `batch_statistics`, batch normalization is that of training: inputs must be mapped by
    `jax.vmap` with the axis name `layers.INPUTS`.
    """
    try:
        torchax = importlib.import_module("torchax")
    except ImportError as error:
        raise ModelError(f"{NEEDED} ({error}).") from error
    torch = importlib.import_module("torch")
    environment = torchax.default_env()
    unknown = importlib.import_module("torchax.tensor").OperatorNotFound
    side, _, channels = shape

    def built() -> Any:
        module = make(None)
        if any(torch.nn.parameter.is_lazy(x) for x in module.parameters()):
            module(torch.zeros(1, channels, side, side))
        return module

    def draw(seed: int) -> host.Arrays:
        with DRAWING, seeded(torch, seed):
            return {name: array(torch, x) for name, x in _tensors(torch, built()).items()}

    with DRAWING, seeded(torch, 0):
        module = built().eval()
    _name_scopes(module)

    def apply(weights: dict[str, Any], x: Any, layout: Callable[[Any], Any]) -> Any:
        kinds = {w.dtype for w in weights.values() if jnp.issubdtype(w.dtype, jnp.floating)}
        narrow = [kind for kind in kinds if kind.itemsize < 4]
        if narrow:
            x = x.astype(narrow[0])
        else:  # drawn in single precision, computed in that of the input
            weights = {name: _real(w, x.dtype) for name, w in weights.items()}
        with TRACING, environment, torch.device("jax"):
            given = environment.j2t_iso((weights, layout(x)))
            try:
                out = torch.func.functional_call(module, *given)
            except unknown as error:
                operator = str(error).removeprefix("Operator with name ").split()[0]
                raise UnknownOperatorError(operator) from error
            return alone(environment.t2j_iso(_plain(torch, out)))

    layouts: list[Callable[[Any], Any]] = [
        lambda x: jnp.moveaxis(x, -1, 0)[None],
        lambda x: jnp.moveaxis(x, -1, 0).reshape(1, -1),
    ]
    init = host.initializer(draw)
    try:
        found = fitting(init, apply, layouts, shape)
    except UnknownOperatorError as error:
        if batch_statistics:
            raise
        return fitting(init, _by_pytorch(torch, module, error.operator), layouts, shape)
    if batch_statistics:
        _normalize_by_batch(torchax, torch, module)
    return found


def _by_pytorch(
    torch: Any, module: Any, operator: str
) -> Callable[[dict[str, Any], Any, Any], Any]:
    """The module as PyTorch computes it, and its input gradient by PyTorch's own backward pass.

    For an operator that torchax lacks. JAX sees no product with a weight, so that none can be
    copied.
    """

    def logits(weights: dict[str, Any], x: Any) -> Any:
        given = {name: torch.tensor(np.asarray(w)) for name, w in weights.items()}
        return alone(_plain(torch, torch.func.functional_call(module, given, x)))

    def forward(weights: dict[str, Any], x: Any) -> np.ndarray:
        with COMPUTING, torch.no_grad():
            return logits(weights, torch.tensor(np.asarray(x))).numpy()

    def backward(weights: dict[str, Any], x: Any, cotangent: Any) -> np.ndarray:
        with COMPUTING:
            point = torch.tensor(np.asarray(x), requires_grad=True)
            found = logits(weights, point)
            (gradient,) = torch.autograd.grad(found, point, torch.tensor(np.asarray(cotangent)))
            return gradient.numpy()

    def run(weights: dict[str, Any], x: Any) -> Any:
        own = {name: np.zeros(w.shape, w.dtype) for name, w in weights.items()}
        out = forward(own, np.zeros(x.shape, x.dtype))
        like = jax.ShapeDtypeStruct(out.shape, out.dtype)
        return jax.pure_callback(forward, like, weights, x, vmap_method="sequential")

    inspect.unwrap(run).__name__ = operator  # notes on weights that are not copied name it
    computed = jax.custom_vjp(run)

    def keep(weights: dict[str, Any], x: Any) -> Any:
        return computed(weights, x), (weights, x)

    def pull(saved: Any, cotangent: Any) -> Any:
        weights, x = saved
        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return None, jax.pure_callback(
            backward, like, weights, x, cotangent, vmap_method="sequential"
        )

    computed.defvjp(keep, pull)
    return lambda weights, x, layout: computed(weights, layout(x).astype(jnp.float32)).astype(
        x.dtype
    )


def _tensors(torch: Any, module: Any) -> dict[str, Any]:
    """All tensors of a module by their name in it; one that is there twice has one name."""
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for prefix, part in module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, torch.Tensor):
                found[f"{prefix}.{name}".removeprefix(".")] = value
    return found


def array(torch: Any, tensor: Any) -> np.ndarray:
    """A tensor with a type that JAX has without 64 bits."""
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(jnp.bfloat16)
    narrower = {torch.float64: torch.float32, torch.int64: torch.int32}
    narrower[torch.complex128] = torch.complex64
    return tensor.to(narrower.get(tensor.dtype, tensor.dtype)).contiguous().numpy()


def _real(w: Any, dtype: Any) -> Any:
    return w.astype(dtype) if jnp.issubdtype(w.dtype, jnp.floating) else w


def _plain(torch: Any, out: Any) -> Any:
    """The logits of an output; one without them as a tuple, or a dictionary, of its tensors."""
    if isinstance(out, torch.Tensor):
        return out
    if isinstance(getattr(out, "logits", None), torch.Tensor):
        return out.logits
    if isinstance(out, tuple | list):
        return tuple(x for x in out if isinstance(x, torch.Tensor))
    named = out if isinstance(out, Mapping) else vars(out)
    return {name: x for name, x in named.items() if isinstance(x, torch.Tensor)}


def _normalize_by_batch(torchax: Any, torch: Any, module: Any) -> None:
    """Lets batch normalization use the statistics of all inputs of a seed and their positions."""

    def normalized(x: Any, weight: Any, bias: Any, epsilon: float) -> Any:
        axes, shape = (0, *range(2, x.ndim)), (1, -1, *[1] * (x.ndim - 2))

        def over_batch(values: Any) -> Any:
            return jax.lax.pmean(values.mean(axes, keepdims=True), layers.INPUTS)

        mean = over_batch(x)
        y = (x - mean) * jax.lax.rsqrt(over_batch((x - mean) ** 2) + epsilon)
        return y if weight is None else y * weight.reshape(shape) + bias.reshape(shape)

    def forward(part: Any, x: Any) -> Any:
        return torchax.interop.call_jax(normalized, x, part.weight, part.bias, part.eps)

    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.forward = partial(forward, part)


def _name_scopes(module: Any) -> None:
    """Lets what a part of a module computes carry its name (`jax.named_scope`)."""
    stack: list[ExitStack] = []

    def enter(name: str, *_: Any) -> None:
        scope = ExitStack()
        scope.enter_context(jax.named_scope(name))
        stack.append(scope)

    def leave(*_: Any) -> None:
        stack.pop().close()

    for part in module.modules():
        for name, child in part.named_children():
            child.register_forward_pre_hook(partial(enter, name))
            child.register_forward_hook(leave, always_call=True)


@contextmanager
def seeded(torch: Any, seed: int) -> Generator[None]:
    """Lets random numbers follow from a seed, and leaves those of others as they were.

    Each operator that draws begins a sequence of its own. So layers of the same shape have the same
    weights at all sides, whatever the layers before them have.
    """

    class Sequences(importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None):
            if torch.Tag.nondeterministic_seeded in operator.tags:
                self.count += 1
                digest = hashlib.sha256(f"{seed} {self.count}".encode()).digest()
                torch.default_generator.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
            return operator(*args, **(kwargs or {}))

    before = random.getstate(), np.random.get_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as many as the cores draw at the same time
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        with torch.random.fork_rng(devices=[]), Sequences():
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(before[0])
        np.random.set_state(before[1])
