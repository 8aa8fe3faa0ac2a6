"""Runs at a URL of fsspec: as in a folder, but that nothing can be locked there."""

import errno
import ftplib
import re
from dataclasses import replace

import fsspec
import numpy as np
import pytest
import xarray as xr
from fsspec.implementations.local import LocalFileSystem

from sim.scaling.experiment import run
from sim.storage import folder, merge, studies
from sim.storage.refusals import RunError
from tests.sim.storage.test_store import CONFIG, Computed, expected, sample


class Elsewhere(LocalFileSystem):
    """A filesystem that is not known to be this machine's."""

    protocol = "elsewhere"

    def __init__(self, **options):
        super().__init__(auto_mkdir=True, **options)


@pytest.fixture
def url(tmp_path):
    fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)
    return f"elsewhere://{tmp_path}/deep/run"


def test_a_run_at_a_url_is_the_run_in_a_folder(url, tmp_path):
    config = replace(CONFIG, seeds=20, sampler="dense")
    kept = run(config, out=url)
    np.testing.assert_array_equal(kept["norm"], run(config, out=str(tmp_path / "here"))["norm"])
    assert xr.open_zarr(url)["finished"].all()
    np.testing.assert_array_equal(merge.read(url)["norm"], kept["norm"])
    assert not (tmp_path / "deep/run/.lock").exists()


def test_continued_extended_and_mended(url, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sample(url, computed=Computed(stop_after=7))
    norms, rest = sample(url)
    np.testing.assert_array_equal(norms, expected())
    assert 0 < len(rest) < 400
    larger = replace(CONFIG, widths=(4, 8, 2), sizes=(1, 2, 4), seeds=130)
    norms, more = sample(url, larger)
    np.testing.assert_array_equal(norms, expected(larger))
    assert len(more) == 3 * 3 * 130 - 400
    chunk = tmp_path / "deep/run/norm/c/0/1/1/0/0"
    content = bytearray(chunk.read_bytes())
    content[9] ^= 4
    chunk.write_bytes(content)
    told = []
    norms, again = sample(url, larger, tell=told.append)
    np.testing.assert_array_equal(norms, expected(larger))
    assert len(again) == 64
    assert len(told) == 1


def test_memory_needs_no_files():
    norms, _ = sample("memory://some/run")
    again, computed = sample("memory://some/run")
    assert computed == []
    np.testing.assert_array_equal(norms, again)


@pytest.mark.parametrize("operations", [0, 1, 6, 12])
def test_a_layout_is_put_in_place_whole_or_not_at_all(url, monkeypatch, operations):
    sample(url)
    larger, left, write = (
        replace(CONFIG, widths=(4, 8, 2), seeds=130),
        [operations],
        folder.Remote.write,
    )

    def stopping(self, name, content):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(self, name, content)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(folder.Remote, "write", stopping)
        sample(url, larger)
    norms, more = sample(url, larger)
    np.testing.assert_array_equal(norms, expected(larger))
    assert len(more) == 3 * 2 * 130 - 400


@pytest.mark.parametrize("operations", [0, 1, 6])
def test_a_first_layout_that_was_killed_is_laid_out_again(url, monkeypatch, operations):
    left, write = [operations], folder.Remote.write

    def stopping(self, name, content):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(self, name, content)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(folder.Remote, "write", stopping)
        sample(url)
    norms, _ = sample(url)
    np.testing.assert_array_equal(norms, expected())


def test_foreign_files_at_a_url_are_left_alone(url, tmp_path):
    folder.folder(url).make()
    folder.folder(url).write("notes.txt", b"notes")
    with pytest.raises(RunError, match="is not a run"):
        sample(url)
    assert [path.name for path in (tmp_path / "deep/run").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("zip://x", "cannot open zip://x: Is a directory."),
        ("zip://x::memory://y.zip", "zip://x::memory://y.zip is a chain of URLs, and a run is"),
        ("github://x", "github://x is no place where runs can be kept."),
        ("reference://x", "reference://x is no place where runs can be kept."),
        ("data://x", "cannot write data://x: "),
        ("file://host/x", "file://host/x is no absolute path: write file:///path, or a path"),
        ("", "the name of the place where a run is kept is empty."),
        ("nowhere://x", "nowhere://x is not a URL that fsspec knows: Protocol not known: nowhere."),
        ("lacking://x", "lacking://x needs a package that is not installed: "),
    ],
)
def test_bad_urls(name, sentence):
    fsspec.register_implementation("lacking", "no_such_package.System", clobber=True)
    for use in (sample, lambda name: run(CONFIG, out=name)):
        with pytest.raises(RunError, match=re.escape(sentence)):
            use(name)


def test_a_server_that_is_not_there_is_one_sentence(monkeypatch):
    """No test may depend on a network."""

    def refuse(*_, **options):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(ftplib.FTP, "connect", refuse)
    with pytest.raises(RunError, match=r"cannot open ftp://server/x: Connection refused\."):
        sample("ftp://server/x")


@pytest.mark.parametrize("start", ["", "file://"])
def test_a_name_that_is_too_long_is_one_sentence(start, tmp_path):
    name = start + str(tmp_path / ("a" * 300))
    for use in (sample, merge.read, lambda name: studies.stored(name, ())):
        with pytest.raises(RunError, match=r"cannot read .*aa: File name too long\."):
            use(name)


def test_failures_of_a_service_are_one_sentence(url, monkeypatch):
    class CredentialsError(Exception):
        pass

    def fail(self, path, **options):
        raise CredentialsError("who\nare you?")

    monkeypatch.setattr(Elsewhere, "exists", fail)
    with pytest.raises(RunError, match=r"cannot read .*: CredentialsError: who are you\?\."):
        sample(url)
