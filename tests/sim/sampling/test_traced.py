"""Programs that are found again: the same samples, and never those of anything else."""

import pickle
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.running import compilation
from sim.sampling import norms, traced
from sim.sampling.draws import Draws
from theory import architectures
from theory.network import Conv, Dense, Network, serial

NETWORK = architectures.mlp((5, 4), channels=1)
DRAWS = Draws(("loss", "logit"), (1.0, 2.0))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of what is compiled."""
    file = traced._file
    monkeypatch.setattr(compilation, "kept", lambda: tmp_path)
    monkeypatch.setattr(traced, "_file", file)
    return tmp_path


def files(folder):
    return sorted(folder.glob(f"{traced.PREFIX}*"))


def sampled(seed=0):
    draws = Draws(DRAWS.quantities, DRAWS.norms, seed=seed)
    return norms.sweep(NETWORK, (2, 4), range(20), draws)


def test_a_second_run_traces_nothing(folder, monkeypatch):
    first, found = sampled(), files(folder)
    assert len(found) == 3  # what seeds draw once, and each side
    monkeypatch.setattr(traced, "_file", partial(_file_there, folder))
    monkeypatch.setattr(traced, "_exported", None)
    np.testing.assert_array_equal(sampled(), first)


def _file_there(folder, name, arguments, file=traced._file):
    path = file(name, arguments)
    assert path in files(folder)
    return path


def test_samples_are_those_without_the_cache(folder, monkeypatch):
    kept = sampled()
    monkeypatch.setattr(compilation, "kept", lambda: None)
    np.testing.assert_array_equal(sampled(), kept)


def damaged(path):
    path.write_bytes(path.read_bytes()[:-9])


def of_another_version(path):
    path.write_bytes(pickle.dumps("a program"))


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [damaged, of_another_version, a_folder])
def test_what_cannot_be_read_is_traced(folder, change):
    first = sampled()
    for path in files(folder):
        change(path)
    np.testing.assert_array_equal(sampled(), first)


def test_an_unwritable_folder_costs_time_alone(folder, monkeypatch):
    monkeypatch.setattr(compilation, "kept", lambda: folder / "nowhere")
    first = sampled()
    monkeypatch.setattr(compilation, "kept", lambda: None)
    np.testing.assert_array_equal(sampled(), first)


def test_other_draws_have_other_programs(folder):
    first = sampled()
    assert not np.array_equal(sampled(seed=1), first)
    assert len(files(folder)) == 6


@dataclass(frozen=True)
class Pair:
    one: object
    other: object


DIFFERENT = [
    1, 1.0, True, "1", None, (1,), [1], {"a": 1}, {"b": 1}, Pair(1, 2), Pair(2, 1), Pair("1", 2),
    ((1, 2), 3), (1, (2, 3)), Dense(2, 1), Dense(2, 1.0), Conv(2, 1), Conv(2, 1, kernel=1),
    Network("a", serial(Dense(2, 1))), Network("b", serial(Dense(2, 1))),
    jax.ShapeDtypeStruct((2,), jnp.float32), jax.ShapeDtypeStruct((2,), jnp.float64),
]  # fmt: skip


def test_words_tell_all_data_apart():
    told = [traced.words(x) for x in DIFFERENT]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("data", [lambda: 0, object(), Pair(1, print), (1, {"a": jnp.sin})])
def test_code_has_no_words(data):
    """Two functions of one name may compute different things."""
    with pytest.raises(TypeError, match="no plain data"):
        traced.words(data)


def test_what_surrounds_a_program_is_in_its_name(folder, monkeypatch):
    arguments = (jax.ShapeDtypeStruct((2,), jnp.float32),)
    names = {traced._file("name", arguments), traced._file("name", (*arguments, *arguments))}
    with jax.enable_x64(True):
        names.add(traced._file("name", arguments))
    with jax.default_matmul_precision("highest"):
        names.add(traced._file("name", arguments))
    monkeypatch.setattr(traced, "_source", lambda: "other source")
    monkeypatch.setattr(traced, "_file", _FILE)
    names.add(traced._file("name", arguments))
    assert len(names) == 5
    assert traced._file(None, arguments) is None
    assert traced._file(print, arguments) is None


_FILE = traced._file
