"""Labelled images for training, as arrays of bytes or of floats at their own side.

scikit-learn's digits come with it; CIFAR-10 is read from a folder that the user has. Nothing is
downloaded, and no code in a file is run: pickled files may build arrays and plain containers only.
"""

import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from sim.sampling import inputs

Name = Literal["digits", "cifar10"]
NAMES: tuple[str, ...] = get_args(Name)
SIZES: dict[str, tuple[int, ...]] = {"digits": (8, 16, 32, 64), "cifar10": (32, 64, 128, 256)}
"""Sides at which an experiment looks, the first one that of the images themselves."""

CHANNELS = {"digits": 1, "cifar10": 3}
CLASSES = 10
IMAGES = {"digits": 1437, "cifar10": 50_000}
"""Images in the training set."""

HELD_OUT = 360
"""Digits in the test set."""

CIFAR_SIDE = 32
TRAINING = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST = ("test_batch",)
RECORD = 1 + 3 * CIFAR_SIDE**2
"""Bytes of an image in the binary format: its label, then red, green and blue planes."""

RECORDS = 10_000
"""Images in each file."""

FORMS = {"cifar-10-python": "cifar-10-batches-py", "cifar-10-binary": "cifar-10-batches-bin"}
"""Archive and the folder in it."""

CHECKSUMS = {
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""MD5 of the archives, as the authors publish them, and of the pickled files, as torchvision does.
None are published for single files of the binary form."""


@dataclass(frozen=True)
class Split:
    """Images and their labels."""

    images: Float[np.ndarray, "n side side channels"]
    labels: Int[np.ndarray, " n"]

    def standardized(self) -> "Split":
        """Each image with mean 0 and mean square 1, as all inputs of `sim`."""
        side = self.images.shape[1]
        return replace(self, images=np.stack([inputs.prepared(x, side) for x in self.images]))

    def first(self, count: int) -> "Split":
        """The first `count` images, or all if there are fewer."""
        return Split(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Data:
    """A training set and a test set, always the same ones."""

    training: Split
    test: Split


def load(name: str, folder: str | None = None) -> Data:
    """The data of that name; CIFAR-10 is looked for in `folder`.

    Raises ValueError, with one sentence, if it is not there or not what it should be.
    """
    if name == "digits":
        return digits()
    if folder is None:
        raise ValueError("--data cifar10 needs --data-dir, the folder where it lies.")
    return cifar10(folder)


def digits() -> Data:
    """scikit-learn's 1797 handwritten digits of side 8: 1437 to train, 360 to test.

    The split is fixed, in an order that does not sort by writer.
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    images = bunch.images.astype(np.float32)[..., None]
    order = np.random.default_rng(0).permutation(len(images))
    test, training = order[:HELD_OUT], order[HELD_OUT:]
    return Data(*(Split(images[part], bunch.target[part]) for part in (training, test)))


def cifar10(folder: str) -> Data:
    """CIFAR-10, 50 000 images to train and 10 000 to test, from a folder with one of its forms.

    Either archive (cifar-10-python.tar.gz, cifar-10-binary.tar.gz) as it is, or the folder that it
    unpacks to, or that folder itself. Archives and pickled files must have their published MD5,
    and all files whole records with labels from 0 to 9. Raises ValueError.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ValueError(f"there is no folder {folder}.")
    try:
        read, is_pickled = _found(path)
        parts = []
        for names in (TRAINING, TEST):
            pairs = [_decoded(name, read(name), is_pickled, folder) for name in names]
            planes, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
            images = planes.reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE).transpose(0, 2, 3, 1)
            parts.append(Split(images.astype(np.float32), labels.astype(np.int64)))
    except (OSError, EOFError, tarfile.TarError, KeyError) as error:
        reason = str(error).splitlines()[0].rstrip(":.")  # tarfile says more than a sentence
        raise ValueError(f"cannot read CIFAR-10 in {folder}: {reason}.") from None
    return Data(*parts)


def _found(path: Path) -> tuple[Callable[[str], bytes], bool]:
    """What reads a file of the data set by name, and whether its files are pickled."""
    for archive, inside in FORMS.items():
        is_pickled = inside.endswith("py")
        end = "" if is_pickled else ".bin"
        for folder in (path / inside, path):
            if (folder / f"{TEST[0]}{end}").exists():
                return lambda name, f=folder, e=end: (f / f"{name}{e}").read_bytes(), is_pickled
        packed = path / f"{archive}.tar.gz"
        if packed.exists():
            content = packed.read_bytes()
            _check(packed.name, content, str(path))
            members = _members(content, [f"{inside}/{name}{end}" for name in (*TRAINING, *TEST)])
            return lambda name, m=members, i=inside, e=end: m[f"{i}/{name}{e}"], is_pickled
    known = ", ".join((*FORMS.values(), *(f"{archive}.tar.gz" for archive in FORMS)))
    raise ValueError(f"{path} holds no CIFAR-10: none of {known}.")


def _members(content: bytes, names: Iterable[str]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for name in names:
            file = tar.extractfile(name)
            found[name] = file.read() if file else b""
    return found


def _check(name: str, content: bytes, folder: str) -> None:
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != CHECKSUMS[name]:
        raise ValueError(
            f"{name} in {folder} is truncated or changed: its MD5 is not the published one."
        )


def _decoded(
    name: str, content: bytes, is_pickled: bool, folder: str
) -> tuple[np.ndarray, np.ndarray]:
    """The images of a file, a row of bytes each, and its labels."""
    if is_pickled:
        _check(name, content, folder)
        planes, labels = _unpickled(name, content, folder)
    else:
        if len(content) != RECORDS * RECORD:
            raise ValueError(
                f"{name}.bin in {folder} has {len(content)} bytes instead of {RECORDS * RECORD}."
            )
        records = np.frombuffer(content, np.uint8).reshape(RECORDS, RECORD)
        planes, labels = records[:, 1:], records[:, 0]
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"{name} in {folder} has labels outside of 0 to {CLASSES - 1}.")
    return planes, labels


class _Plain(pickle.Unpickler):
    """Builds arrays and plain containers, and nothing else."""

    ALLOWED: ClassVar = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        if name == "_reconstruct":
            from numpy._core import multiarray

            return multiarray._reconstruct  # type: ignore[attr-defined]
        return getattr(np, name)


def _unpickled(name: str, content: bytes, folder: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _Plain(io.BytesIO(content), encoding="bytes").load()
        planes, labels = np.asarray(batch[b"data"], np.uint8), np.asarray(batch[b"labels"], int)
    except Exception as error:  # whatever a damaged or foreign pickle makes of itself
        raise ValueError(f"{name} in {folder} is no batch of CIFAR-10: {error}.") from None
    if planes.shape != (RECORDS, RECORD - 1) or labels.shape != (RECORDS,):
        raise ValueError(
            f"{name} in {folder} has images of shape {planes.shape} and labels of shape "
            f"{labels.shape}, not {RECORDS} of each."
        )
    return planes, labels
