"""Weights of a trained network, from a file, in the place of those that an initializer draws.

Arrays go to where they have the same name: safetensors and state dictionaries of PyTorch name them
"layer1.0.conv1.weight", folders of Orbax and dictionaries of Flax "params.Dense_0.kernel". Files of
Equinox have arrays in the order of the module's. No format that is read here can run code.
"""

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sim.models import factories, loading, torch_modules
from sim.models.pairs import ModelError

Arrays = dict[str, Any]
"""By name."""

WRAPPED = ("state_dict", "model_state_dict", "model")
"""Where a checkpoint of PyTorch has its state dictionary, if it has more than that."""

PARALLEL = "module."
"""What `torch.nn.DataParallel` puts before every name."""


@dataclass(frozen=True)
class Stored:
    """What a file of weights has."""

    path: str
    arrays: Arrays | None
    """None of a file of Equinox, which only a module can read."""

    @property
    def name(self) -> str:
        """Of the file, without its folders."""
        return Path(self.path).name


def read(path: str) -> Stored:
    """The arrays of a file.

    Args:
        path: The file, or a folder of Orbax.

    Raises:
        ModelError: It is not there, or cannot be read.
    """
    suffix = Path(path).suffix
    if not Path(path).exists():
        raise ModelError(f"there is no file {path}.")
    if suffix == ".eqx":
        return Stored(path, None)
    reader = _orbax if Path(path).is_dir() else READERS.get(suffix)
    if reader is None:
        raise ModelError(
            f"--weights reads {', '.join(READERS)}, .eqx and folders of Orbax, not {path}."
        )
    try:
        found = reader(path)
    except ImportError as error:
        raise ModelError(f"to read {path} install {error.name}.") from error
    except Exception as error:  # whatever the library says of what is no such file
        first = str(error).strip().partition("\n")[0].rstrip(".")
        raise ModelError(f"cannot read {path}: {type(error).__name__}: {first}.") from error
    if all(name.startswith(PARALLEL) for name in found):
        found = {name.removeprefix(PARALLEL): array for name, array in found.items()}
    return Stored(path, found)


def weights(stored: Stored, model: loading.Own, shape: tuple[int, ...]) -> Any:
    """The weights of a model that a file has.

    Integers may be missing, which count batches or random numbers, and of a module of PyTorch what
    its state dictionary leaves out.

    Args:
        stored: What the file has.
        model: The model.
        shape: Of its input.

    Returns:
        A pytree as its initializer gives it.

    Raises:
        ModelError: They are the weights of another model.
    """
    init, _ = loading.pair(model, shape)
    make, takes_key = factories.bound(model.factory, shape)
    if stored.arrays is None:
        return _equinox(stored, make, jax.eval_shape(init, jax.random.key(0)))
    leaves, structure = jax.tree.flatten_with_path(init(jax.random.key(0)))
    own = {name_of(place): there for place, there in leaves}
    module: Any = None if takes_key else make(None)
    kept = module.state_dict() if hasattr(module, "state_dict") else own
    _refuse_others(stored, own, {name for name in own if name in kept})
    found = (_like(stored.arrays.get(name, there), there) for name, there in own.items())
    return jax.tree.unflatten(structure, list(found))


def name_of(place: tuple[Any, ...]) -> str:
    """The name of an array by its place in a pytree, as JAX has it: "params.Dense_0.kernel"."""
    words = [
        str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", "")))) for key in place
    ]
    return ".".join(word for word in words if word != "value")  # Flax NNX has arrays in variables


def _like(array: Any, there: Any) -> Any:
    return jnp.asarray(array, there.dtype if _is_real(there) else None)


def _is_real(array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))


def _refuse_others(stored: Stored, own: Arrays, kept: Collection[str]) -> None:
    """Refuses arrays that the model lacks, that the file lacks, of other shapes, or not finite.

    Tied weights have several names in a file, and one in the model.
    """
    found, file = stored.arrays or {}, stored.name
    missing = [name for name in own if name in kept and _is_real(own[name]) and name not in found]
    if missing:
        raise ModelError(f"{file} has no {_some(missing)}, which the model has.")
    for name in own:
        if name in found and np.shape(found[name]) != own[name].shape:
            raise ModelError(
                f"{file} has a {name} of shape {np.shape(found[name])}, and the model one of shape "
                f"{own[name].shape}."
            )
        if name in found and _is_real(own[name]) and not np.isfinite(found[name]).all():
            raise ModelError(f"{file} has numbers in {name} that are not finite.")
    used = [np.asarray(found[name]) for name in own if name in found]
    more = [
        name
        for name in found
        if name not in own and not any(np.array_equal(found[name], there) for there in used)
    ]
    if more:
        raise ModelError(f"{file} has {_some(more)}, which the model does not have.")


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 1} more arrays" if len(names) > 1 else ""
    return f"{names[0]}{rest}"


def _safetensors(path: str) -> Arrays:
    return dict(importlib.import_module("safetensors.flax").load_file(path))


def _pytorch(path: str) -> Arrays:
    torch = importlib.import_module("torch")
    kept = torch.load(path, map_location="cpu", weights_only=True)
    for name in WRAPPED:
        if isinstance(kept.get(name), Mapping):
            kept = kept[name]
    return {
        name: torch_modules.array(torch, x)
        for name, x in kept.items()
        if isinstance(x, torch.Tensor)
    }


def _orbax(path: str) -> Arrays:
    library = importlib.import_module("orbax.checkpoint")
    with library.StandardCheckpointer() as reader:
        kept = reader.restore(Path(path).resolve())
    return {name_of(place): x for place, x in jax.tree.leaves_with_path(kept)}


def _equinox(stored: Stored, make: Callable[[Any], Any], like: Any) -> Any:
    library = importlib.import_module("equinox")
    try:
        module = library.tree_deserialise_leaves(stored.path, make(jax.random.key(0)))
    except Exception as error:
        raise ModelError(f"{stored.name} does not have the arrays of the model.") from error
    found = jax.tree.leaves(library.filter(module, library.is_array))
    if jax.tree.structure(found) != jax.tree.structure(like):
        raise ModelError(f"{stored.name} is of Equinox, and the model is not.")
    return found


READERS: dict[str, Callable[[str], Arrays]] = {
    ".safetensors": _safetensors,
    ".pt": _pytorch,
    ".pth": _pytorch,
    ".bin": _pytorch,
}
"""By the ending of the file's name."""
