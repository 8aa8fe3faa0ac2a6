"""Runs on disk: read back by xarray alone, continued, extended, mended, never spoiled."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sim.scaling.configuration import Config, planned
from sim.scaling.dataset import unsampled
from sim.scaling.experiment import run
from sim.storage import merge, provenance, store, studies
from sim.storage.refusals import RunError

CONFIG = Config(
    arch="mlp", depth=1, widths=(4, 8), sizes=(2, 4), seeds=100, input="gaussian", norms=("1", "2")
)


def norms_of(width, size, seeds):
    """Numbers that every sample has to itself; those of seed 7 are not finite."""
    some = np.stack([np.full(len(seeds), width), np.full(len(seeds), size)], axis=1)
    values = (some + np.asarray(seeds)[:, None] / 1000)[:, None, :].astype(np.float32)
    values[np.asarray(seeds) == 7] = np.inf
    return values


class Computed:
    """A sampler that only counts: `samples` holds every (width, size, seed) it was asked for."""

    def __init__(self, stop_after=None):
        self.samples = []
        self.left = stop_after

    def sampler(self, width):
        def make(sizes):
            def draw(seeds, advance, keep):
                for start in range(0, len(seeds), 16):
                    part = np.asarray(seeds[start : start + 16])
                    for size in sizes:
                        if self.left is not None:
                            self.left -= 1
                            if self.left < 0:
                                raise KeyboardInterrupt
                        self.samples += [(width, size, seed) for seed in part.tolist()]
                        keep(size, part, {"norm": norms_of(width, size, part)})
                        advance(len(part))

            return draw

        return make


def sample(path, config=CONFIG, computed=None, tell=lambda line: None):
    """The stored norms (width, size, seed, quantity, q) and the samples that were computed."""
    computed = computed or Computed()
    config = planned(config).explicit
    done, found = [], []
    with store.opened(str(path), asdict(config), unsampled, store.Where("cpu"), tell) as kept:
        for width in config.widths:
            draw = kept.completing(width, config.sizes, computed.sampler(width))
            sampled = draw(range(config.seeds), done.append)
            found.append([samples["norm"] for samples in sampled])
    assert sum(done) == len(config.widths) * len(config.sizes) * config.seeds
    return np.array(found), computed.samples


def expected(config=CONFIG):
    seeds = np.arange(config.seeds)
    return np.array([[norms_of(w, s, seeds) for s in config.sizes] for w in config.widths])


def files(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name not in (".lock", "zarr.json")
    }


def test_xarray_alone_reads_a_run(tmp_path):
    live = run(replace(CONFIG, seeds=20, sampler="dense"), out=str(tmp_path / "deep" / "run"))
    samples = xr.open_zarr(tmp_path / "deep" / "run").load()
    assert samples["norm"].dims == ("seed", "width", "size", "quantity", "q")
    assert samples["finished"].all()
    np.testing.assert_array_equal(samples["norm"], live["norm"])
    errors = ("predicted_error", "predicted_slope_error")
    for name in ("predicted", "limit", "predicted_slope", "hypothesis-H", *errors):
        np.testing.assert_array_equal(samples[name], live[name])
    assert samples["d"].values.tolist() == [12, 48]
    assert samples["size"].attrs == {"long_name": "side of the image", "units": "pixels"}
    assert all(variable.attrs["long_name"] for variable in samples.variables.values())
    assert json.loads(samples.attrs["config"])["seeds"] == 20
    (session,) = samples.attrs["sessions"]
    assert session["versions"] == provenance.versions()
    assert session["started"] <= session["ended"]


def test_the_commit_is_that_of_the_source_tree():
    git = ("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD")
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout")
    assert str(provenance.commit()).startswith(done.stdout.strip())


def test_no_seeds_are_no_work(tmp_path):
    """As for a process with less work than chunks."""
    with store.opened(
        str(tmp_path / "run"), {**asdict(CONFIG)}, unsampled, store.Where("cpu")
    ) as kept:
        assert kept.missing(4, 2, range(0)) == []
        assert kept.read(4, 2, range(0))["norm"].shape == (0, 1, 2)


def test_samples_without_a_store_are_the_same(tmp_path):
    config = replace(CONFIG, seeds=20, sampler="dense")
    stored = run(config, out=str(tmp_path / "run"))
    np.testing.assert_array_equal(stored["norm"], run(config)["norm"])


def test_a_finished_run_computes_nothing(tmp_path):
    first, computed = sample(tmp_path / "run")
    assert len(computed) == 2 * 2 * 100
    np.testing.assert_array_equal(first, expected())
    before = files(tmp_path / "run")
    again, computed = sample(tmp_path / "run")
    assert computed == []
    np.testing.assert_array_equal(again, first)
    assert files(tmp_path / "run") == before


def test_extension_computes_only_what_is_new(tmp_path):
    _, first = sample(tmp_path / "run")
    larger = replace(CONFIG, widths=(4, 2, 8), sizes=(1, 2, 3, 4), seeds=150)
    norms, more = sample(tmp_path / "run", larger)
    assert not set(first) & set(more)
    assert len(first) + len(more) == 3 * 4 * 150 == len({*first, *more})
    np.testing.assert_array_equal(norms, expected(larger))
    smaller = replace(CONFIG, widths=(2,), seeds=30)
    norms, none = sample(tmp_path / "run", smaller)
    assert none == []
    np.testing.assert_array_equal(norms, expected(smaller))
    samples = xr.open_zarr(tmp_path / "run")
    assert dict(samples.sizes) == {"seed": 150, "width": 3, "size": 4, "quantity": 1, "q": 2}


@pytest.mark.parametrize("chunks", [0, 1, 13])
def test_a_stopped_run_knows_what_is_missing_and_continues(tmp_path, chunks):
    stopped = Computed(chunks)
    with pytest.raises(KeyboardInterrupt):
        sample(tmp_path / "run", computed=stopped)
    samples = xr.open_zarr(tmp_path / "run").load()
    assert int(samples["finished"].sum()) == len(stopped.samples)
    assert samples["norm"].where(~samples["finished"]).isnull().all()
    # infinite samples are finished ones
    assert not samples["norm"].where(samples["finished"], 0).isnull().any()
    norms, rest = sample(tmp_path / "run")
    assert len(stopped.samples) + len(rest) == 400 == len({*stopped.samples, *rest})
    np.testing.assert_array_equal(norms, expected())


DAMAGE = {
    "truncated": lambda content: content[:-5],
    "empty": lambda content: b"",
    "flipped": lambda content: content[:100] + bytes([content[100] ^ 4]) + content[101:],
    "gone": None,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_chunk_alone_is_computed_again(tmp_path, kind):
    sample(tmp_path / "run")
    chunk = tmp_path / "run/norm/c/1/0/1/0/0"
    whole = chunk.read_bytes()
    if kind == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes(DAMAGE[kind](whole))
    lines = []
    norms, again = sample(tmp_path / "run", tell=lines.append)
    assert sorted(again) == [(4, 4, seed) for seed in range(64, 100)]
    np.testing.assert_array_equal(norms, expected())
    assert chunk.read_bytes() == whole
    assert lines == [
        f"{tmp_path}/run: the chunk of seeds 64 to 127, width 4, size 4 is damaged and computed "
        "again."
    ]


def test_a_damaged_flag_costs_its_chunk(tmp_path):
    sample(tmp_path / "run")
    flags = tmp_path / "run/finished/c/0/1/0"
    flags.write_bytes(b"\1" * len(flags.read_bytes()))
    norms, again = sample(tmp_path / "run")
    assert sorted(again) == [(8, 2, seed) for seed in range(64)]
    np.testing.assert_array_equal(norms, expected())


@pytest.mark.parametrize("name", ["norm/zarr.json", "seed/c/0", "predicted/c/0/0/0/0"])
def test_damaged_labels_are_written_again(tmp_path, name):
    sample(tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(b"x")
    norms, again = sample(tmp_path / "run")
    assert again == []
    np.testing.assert_array_equal(norms, expected())
    xr.open_zarr(tmp_path / "run").load()
    assert json.loads((tmp_path / "run/norm/zarr.json").read_text())["shape"] == [100, 2, 2, 1, 2]


def test_a_layout_is_put_in_place_whole_or_not_at_all(tmp_path, monkeypatch):
    """Extensions that end after some of their file operations, as those of a killed process."""
    larger = replace(CONFIG, widths=(4, 8, 2), sizes=(1, 2, 4), seeds=130)
    sample(tmp_path / "small")
    kind, move = type(tmp_path), type(tmp_path).replace
    for operations in (0, 1, 2, 7, 13):
        path, left = tmp_path / str(operations), [operations]
        shutil.copytree(tmp_path / "small", path)

        def stopping(self, target, left=left):
            if threading.current_thread() is threading.main_thread():  # not those of zarr
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
            return move(self, target)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(kind, "replace", stopping)
            sample(path, larger)
        assert (path / ".sqrt-d-law-new/complete").exists() == (operations > 1)
        norms, more = sample(path, larger)
        np.testing.assert_array_equal(norms, expected(larger))
        assert len(more) == 3 * 3 * 130 - 400


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"seed": 3}, "holds a run with --seed 0, not --seed 3; choose another --out."),
        ({"norms": ("1",)}, "holds a run with --norms 1 2, not --norms 1;"),
        ({"std": 0.1, "dtype": "float64"}, "--std 0.02, --dtype float32, not --std 0.1, --dtype"),
        ({"batch": 8}, "holds a run with no --batch, not --batch 8;"),
    ],
)
def test_another_configuration_is_refused(tmp_path, changed, sentence):
    sample(tmp_path / "run", replace(CONFIG, seeds=4))
    before = files(tmp_path / "run"), (tmp_path / "run/zarr.json").read_bytes()
    with pytest.raises(RunError, match=sentence.replace(".", r"\.")):
        sample(tmp_path / "run", replace(CONFIG, **changed))
    assert before == (files(tmp_path / "run"), (tmp_path / "run/zarr.json").read_bytes())


def test_what_rounds_differently_is_refused(tmp_path, monkeypatch):
    sample(tmp_path / "run")
    for name, then in (("jax", "jax "), ("arithmetic", "arithmetic 2")):
        other = provenance.versions() | {name: "9.9"}
        with monkeypatch.context() as patch:
            patch.setattr(provenance, "versions", lambda other=other: other)
            with pytest.raises(RunError, match=f"was sampled with {then}.* rounds in another way"):
                sample(tmp_path / "run")


def test_folders_that_are_no_runs_are_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("notes")
    (tmp_path / "file").write_text("file")
    xr.Dataset({"x": ("a", [1.0])}).to_zarr(tmp_path / "other", consolidated=False)
    for name, sentence in {
        "mine": "is not a run",
        "file": "is not a folder",
        "other": "is not a run, or its zarr.json",
    }.items():
        with pytest.raises(RunError, match=sentence):
            sample(tmp_path / name)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert not (tmp_path / "other/.lock").exists()


FOREIGN = ("sub/notes.txt", ".env", "movie.partial", "norm/.keep", "zarr.old.partial")


def test_a_lock_of_others_opens_no_folder(tmp_path):
    for name in (".lock", *FOREIGN):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(RunError, match="is not a run"):
        sample(tmp_path)
    with (
        pytest.raises(RunError, match="is not a run"),
        studies.opened(str(tmp_path), {}, (), "cpu"),
    ):
        pass
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_only_what_a_killed_process_was_writing_is_removed(tmp_path):
    few = replace(CONFIG, seeds=4)
    sample(tmp_path, few)
    ours = (".sqrt-d-law-abc.json", f"norm/c/0/0/0/0.{'0' * 32}.partial")
    for name in (*FOREIGN, *ours):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(name)
    sample(tmp_path, few)
    assert all((tmp_path / name).read_text() == name for name in FOREIGN)
    assert not any((tmp_path / name).exists() for name in ours)


def test_samples_without_their_description_are_refused(tmp_path):
    sample(tmp_path, replace(CONFIG, seeds=4))
    (tmp_path / "zarr.json").unlink()
    before = files(tmp_path)
    with pytest.raises(RunError, match="is not a run"):
        sample(tmp_path, replace(CONFIG, seeds=4, seed=7))
    assert files(tmp_path) == before


def test_a_study_and_a_run_share_no_folder(tmp_path):
    study, path = str(tmp_path / "study"), str(tmp_path / "run")
    with studies.opened(study, {}, (), "cpu"):
        pass
    with pytest.raises(RunError, match=r"holds a run of python -m sim\.training; choose another"):
        sample(study)
    with pytest.raises(RunError, match=r"a study of training: python -m sim\.training_report"):
        merge.read(study)
    sample(path, replace(CONFIG, seeds=4))
    with (
        pytest.raises(RunError, match=r"holds a run of python -m sim\.scaling; choose another"),
        studies.opened(path, {}, (), "cpu"),
    ):
        pass
    with pytest.raises(RunError, match=r"a run of python -m sim\.scaling, no study of training"):
        studies.stored(path, ())


def test_runs_of_other_versions_are_refused(tmp_path):
    sample(tmp_path / "run", replace(CONFIG, seeds=4))
    path = tmp_path / "run/zarr.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 1'))
    with pytest.raises(RunError, match="another version of this program"):
        sample(tmp_path / "run")
    path.write_text("{")
    with pytest.raises(RunError, match=r"zarr\.json, which describes it, is damaged"):
        sample(tmp_path / "run")


def test_a_second_process_is_refused_and_a_stale_lock_is_not(tmp_path):
    sample(tmp_path / "run", replace(CONFIG, seeds=4))
    with (tmp_path / "run/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunError, match=r"another process is working on .*/run\."):
            sample(tmp_path / "run")
    sample(tmp_path / "run")


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    from zarr.storage import _local

    put, room = _local._put, [70]  # files: those of the layout and some chunks

    def full(path, *arguments, **options):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return put(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(_local, "_put", full)
        with pytest.raises(RunError, match=r"cannot write .*/run: No space left on device\."):
            sample(tmp_path / "run")
    finished = int(xr.open_zarr(tmp_path / "run")["finished"].sum())
    assert 0 < finished < 400
    norms, rest = sample(tmp_path / "run")
    assert finished + len(rest) == 400
    np.testing.assert_array_equal(norms, expected())


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match=r"cannot write .*: Permission denied"):
        sample(tmp_path / "run")
    tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused():
    with pytest.raises(RunError, match="cannot write /proc/nowhere: No such file or directory"):
        sample("/proc/nowhere")
