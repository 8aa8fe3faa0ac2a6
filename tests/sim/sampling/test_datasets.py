"""Data sets: fixed splits, and folders that are not what they should be."""

import io
import os
import pickle
import tarfile
from hashlib import md5

import numpy as np
import pytest

from sim.sampling import datasets

FILES = (*datasets.TRAINING, *datasets.TEST)


def test_the_digits_are_split_once_and_for_all():
    data = datasets.load("digits")
    assert data.training.images.shape == (1437, 8, 8, 1)
    assert data.test.images.shape == (360, 8, 8, 1)
    assert np.bincount(data.test.labels).min() > 20
    pixels = {image.tobytes() for image in data.training.images}
    assert sum(image.tobytes() in pixels for image in data.test.images) == 0


def test_standardized_images_have_mean_square_one():
    images = datasets.load("digits").test.first(5).standardized().images
    np.testing.assert_allclose(images.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose((images**2).mean((1, 2, 3)), 1, rtol=1e-5)


@pytest.fixture
def few(monkeypatch):
    """Batches of three images, whose checksums are taken as they come."""
    monkeypatch.setattr(datasets, "RECORDS", 3)
    known = dict(datasets.CHECKSUMS)
    monkeypatch.setattr(datasets, "CHECKSUMS", known)
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (3, 3072), np.uint8) for name in FILES}
    return images, {name: [0, 9, i % 10] for i, name in enumerate(FILES)}, known


def pickled(folder, images, labels, known, protocol=3):
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        batch = {b"data": images[name], b"labels": labels[name], b"filenames": [b"a"]}
        # the published files name the module as it was called before NumPy 2
        content = pickle.dumps(batch, protocol).replace(b"numpy._core", b"numpy.core")
        (folder / name).write_bytes(content)
        known[name] = md5(content).hexdigest()
    return folder


def binary(folder, images, labels):
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        marks = np.array(labels[name], np.uint8)[:, None]
        (folder / f"{name}.bin").write_bytes(np.hstack([marks, images[name]]).tobytes())
    return folder


def test_all_forms_of_cifar_say_the_same(tmp_path, few):
    images, labels, known = few
    binary(tmp_path / "b" / "cifar-10-batches-bin", images, labels)
    pickled(tmp_path / "p" / "cifar-10-batches-py", images, labels, known)
    for form, inside in (("python", "p/cifar-10-batches-py"), ("binary", "b/cifar-10-batches-bin")):
        archive = tmp_path / form / f"cifar-10-{form}.tar.gz"
        archive.parent.mkdir()
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(tmp_path / inside, inside.partition("/")[2])
        known[archive.name] = md5(archive.read_bytes()).hexdigest()
    for folder in ("b", "p", "b/cifar-10-batches-bin", "python", "binary"):
        data = datasets.load("cifar10", str(tmp_path / folder))
        assert data.training.images.shape == (15, 32, 32, 3)
        first = images["data_batch_1"][0]
        np.testing.assert_array_equal(data.training.images[0, 0, :5, 1], first[1024:1029])
        np.testing.assert_array_equal(data.test.labels, labels["test_batch"])


def test_bad_folders_are_one_sentence(tmp_path, few):
    images, labels, known = few

    def refused(folder, message):
        with pytest.raises(ValueError, match=message) as caught:
            datasets.load("cifar10", None if folder is None else str(folder))
        assert "\n" not in str(caught.value)

    refused(None, "needs --data-dir")
    refused(tmp_path / "nowhere", "there is no folder")
    refused(tmp_path, "holds no CIFAR-10")
    short = binary(tmp_path / "short", images, labels)
    with (short / "data_batch_3.bin").open("r+b") as file:
        file.truncate(1000)
    refused(short, r"data_batch_3.bin in .* has 1000 bytes instead of 9219")
    (short / "data_batch_3.bin").unlink()
    refused(short, "cannot read CIFAR-10")
    refused(
        binary(tmp_path / "labels", images, labels | {"data_batch_2": [1, 2, 10]}),
        "data_batch_2 in .* has labels outside of 0 to 9",
    )
    refused(
        pickled(tmp_path / "negative", images, labels | {"test_batch": [1, 2, -1]}, known),
        "test_batch in .* has labels outside",
    )
    changed = pickled(tmp_path / "changed", images, labels, known)
    with (changed / "data_batch_5").open("r+b") as file:
        file.truncate(4000)
    refused(changed, "data_batch_5 in .* is truncated or changed")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "cifar-10-python.tar.gz").write_bytes(b"not one")
    refused(tmp_path / "archive", "cifar-10-python.tar.gz in .* is truncated or changed")
    known["cifar-10-python.tar.gz"] = md5(b"not one").hexdigest()
    refused(tmp_path / "archive", "cannot read CIFAR-10")


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_pickled_files_run_nothing(tmp_path, few, monkeypatch):
    images, labels, known = few
    monkeypatch.chdir(tmp_path)
    folder = pickled(tmp_path / "p", images, labels, known)
    stream = io.BytesIO()
    pickle.dump({b"data": Harmful(), b"labels": [1]}, stream, 3)
    (folder / "data_batch_1").write_bytes(stream.getvalue())
    known["data_batch_1"] = md5(stream.getvalue()).hexdigest()
    with pytest.raises(ValueError, match=r"no batch of CIFAR-10: it names posix.mkdir"):
        datasets.load("cifar10", str(folder))
    assert not (tmp_path / "harm").exists()
