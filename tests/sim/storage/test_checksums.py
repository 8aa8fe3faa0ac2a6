"""Whatever is done to the files of a run: the same samples, a recomputation, or one sentence."""

import contextlib
import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import report
from sim.storage import checksums, descriptions, leftovers, merge, studies
from sim.storage.folder import Local
from sim.storage.refusals import RunError
from tests.sim.storage.test_store import CONFIG, expected, files, sample

FEW = replace(CONFIG, seeds=9)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run."""
    path = tmp_path_factory.mktemp("whole") / "run"
    sample(path, FEW)
    return path


@pytest.fixture
def copied(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def test_checksums_are_of_what_samples_are():
    samples = [np.arange(6.0).reshape(3, 2), np.arange(3, dtype=np.float32)]
    about, other = (checksums.of_words("scaling", {"seed": seed}, 4, 2) for seed in (0, 1))
    found = checksums.of_samples(about, np.arange(3), samples)
    assert len(set(found)) == 3
    assert not set(found) & set(checksums.of_samples(other, np.arange(3), samples))
    assert not set(found) & set(checksums.of_samples(about, np.arange(3, 6), samples))
    later = checksums.of_samples(about, np.arange(1, 3), [part[1:] for part in samples])
    np.testing.assert_array_equal(later, found[1:])
    assert checksums.of_samples(about, np.arange(0), [part[:0] for part in samples]).shape == (0,)


@pytest.mark.parametrize(
    ("name", "there", "lost"),
    [
        ("norm", "0/1/1/0/0", [(8, 4)]),
        ("finished", "0/1/1", []),
        ("checksum", "0/1/1", [(8, 4)]),
    ],
)
def test_a_chunk_over_another_is_noticed(copied, name, there, lost):
    """Flags of finished chunks are alike."""
    end = "/0/0" if name == "norm" else ""
    shutil.copy(copied / f"{name}/c/0/0/0{end}", copied / f"{name}/c/{there}")
    if lost:
        with pytest.raises(RunError, match="at the chunk of seeds 0 to 63, width 8, size 4; the"):
            merge.read(str(copied))
    norms, again = sample(copied, FEW)
    assert sorted({(width, size) for width, size, _ in again}) == lost
    np.testing.assert_array_equal(norms, expected(FEW))
    np.testing.assert_array_equal(merge.read(str(copied))["finished"], True)


def test_samples_of_another_run_are_computed_again(copied, tmp_path):
    """The same command with another key, whose chunks are whole."""
    other = replace(FEW, seed=7)
    sample(tmp_path / "other", other)
    shutil.rmtree(copied / "norm")
    shutil.copytree(tmp_path / "other/norm", copied / "norm")
    for name in ("finished", "checksum"):
        shutil.copytree(tmp_path / "other" / name, copied / name, dirs_exist_ok=True)
    _, again = sample(copied, FEW)
    assert len(again) == 4 * 9


@pytest.mark.parametrize(("name", "value"), [("seed", 7), ("arch", "cnn"), ("sampler", "dense")])
def test_an_edited_description_is_refused(copied, name, value):
    text = json.loads((copied / "zarr.json").read_text())
    config = json.loads(text["attributes"]["config"]) | {name: value}
    text["attributes"]["config"] = json.dumps(config)
    (copied / "zarr.json").write_text(json.dumps(text))
    before = files(copied)
    for use in (lambda path: sample(path, replace(FEW, **{name: value})), merge.read):
        with pytest.raises(RunError, match=r"its zarr\.json, which .* is damaged or was edited\."):
            use(str(copied))
    assert files(copied) == before


def test_an_edit_with_its_checksum_finds_no_samples_of_its_own(copied):
    folder = Local(copied)
    text = descriptions.document(folder)
    config = json.loads(text["attributes"]["config"]) | {"seed": 7}
    text["attributes"]["config"] = json.dumps(config)
    descriptions.write(folder, text)
    with pytest.raises(RunError, match=r"is damaged at the chunk .* and 3 others; the"):
        merge.read(str(copied))
    _, again = sample(copied, replace(FEW, seed=7))
    assert len(again) == 4 * 9


def test_the_words_of_a_description_may_be_laid_out_otherwise(copied):
    text = json.loads((copied / "zarr.json").read_text())
    (copied / "zarr.json").write_text(json.dumps(text, sort_keys=True))
    np.testing.assert_array_equal(sample(copied, FEW)[0], expected(FEW))


@pytest.mark.parametrize("codec", ["numcodecs.pickle", "zstd", "numcodecs.json2"])
def test_other_codecs_are_never_used(copied, codec):
    """Not even if the description says so with its checksum."""
    folder = Local(copied)
    text = descriptions.document(folder)
    array = text["consolidated_metadata"]["metadata"]["norm"]
    array["codecs"].append({"name": codec, "configuration": {}})
    descriptions.write(folder, text)
    for use in (sample, merge.read):
        with pytest.raises(RunError, match="damaged or was edited"):
            use(str(copied))


@pytest.mark.parametrize("word", ["\x1b[2J", "a\x07", "\x9b2J", "\x7f", "a\b", "a\r"])
@pytest.mark.parametrize("where", ["config", "arch"])
def test_words_that_control_a_terminal_are_refused(copied, word, where):
    folder = Local(copied)
    text = descriptions.document(folder)
    kept = text["attributes"]
    config = json.loads(kept["config"])
    if where == "config":
        kept["config"] = json.dumps(config | {"arch": word})
    else:
        kept["arch"] = word
    descriptions.write(folder, text)
    with pytest.raises(RunError, match="damaged or was edited"):
        merge.read(str(copied))


def test_a_run_that_says_it_is_larger_than_memory_is_refused(copied):
    folder = Local(copied)
    text = descriptions.document(folder)
    text["consolidated_metadata"]["metadata"]["norm"]["shape"][0] = 10**15
    descriptions.write(folder, text)
    with pytest.raises(ValueError, match=r"run need about .* GiB, more than this machine has"):
        merge.read(str(copied))


BEFORE = {
    "sessions": (None, 3, [], [3], [{}], {}),
    "config": (None, 3, "", "{", "[]", '{"seeds": 4}', '{"seeds": -1, "widths": [], "sizes": []}'),
    "experiment": (3, []),
    "sampler": (3, None, {}),
    "pilot": ("x", [], None),
    "format": (None, "2", 2.5, [], 1),
}
"""Wrong values of attributes; None also stands for none at all."""


@pytest.mark.parametrize("name", BEFORE)
def test_damaged_attributes_of_runs_of_before_are_one_sentence(copied, name, capsys):
    """Runs of the earlier format had no checksum that would notice."""
    file, text = copied / "zarr.json", descriptions.document(Local(copied))
    del text["attributes"]["checksum"], text["attributes"]["labels"]
    del text["consolidated_metadata"]["metadata"]["checksum"]
    text["attributes"]["format"] = 2
    file.write_text(json.dumps(text))
    shutil.rmtree(copied / "checksum")
    assert report.main([str(copied), "--json", "-"]) == 0
    kept = text["attributes"]
    for config in ({"seeds": "x"}, {"widths": 3}, {"widths": ["x"]}, {"sizes": None}):
        _refused_by_report(copied, text, "config", json.dumps(json.loads(kept["config"]) | config))
    for value in BEFORE[name]:
        _refused_by_report(copied, text, name, value)
    capsys.readouterr()


def _refused_by_report(path, text, name, value):
    attributes = {**text["attributes"], name: value}
    (path / "zarr.json").write_text(json.dumps({**text, "attributes": attributes}))
    with pytest.raises(SystemExit) as stop:
        report.main([str(path)])
    assert stop.value.code == 2, (name, value)


@pytest.mark.parametrize("name", ["norm/c/0/1/1/0/0", "finished/c/0/1/1", "checksum/c/0/1/1"])
def test_a_folder_in_the_place_of_a_chunk_is_refused(copied, name):
    (copied / name).unlink()
    (copied / name).mkdir()
    with pytest.raises(RunError, match=f"cannot write {copied}/{name}: Is a directory"):
        sample(copied, FEW)
    with pytest.raises(RunError, match="at the chunk of seeds 0 to 63, width 8, size 4; the"):
        merge.read(str(copied))


@pytest.mark.parametrize("name", ["predicted/c/0/0/0/0", "width/c/0", "basis/c/0/0/0"])
def test_labels_of_another_array_are_written_again(copied, name):
    """Whole files in a wrong place."""
    before = (copied / name).read_bytes()
    shutil.copy(copied / "size/c/0", copied / name)
    with pytest.raises(RunError, match="is damaged; the command that wrote it"):
        merge.read(str(copied))
    norms, again = sample(copied, FEW)
    assert again == []
    np.testing.assert_array_equal(norms, expected(FEW))
    assert (copied / name).read_bytes() == before


def flipped(content, others, at, bits):
    at %= len(content) or 1
    return content[:at] + bytes(byte ^ bits for byte in content[at : at + 1]) + content[at + 1 :]


def cut(content, others, at):
    return content[: at % (len(content) or 1)]


def extended(content, others, more):
    return content + more


def replaced(content, others, by):
    return by


def copied_over(content, others, number):
    return others[number % len(others)].read_bytes()


def reworded(content, others, number, word):
    """One number or word of JSON replaced."""
    words = content.split(b", ")
    head, colon, _ = words[number % len(words)].partition(b": ")
    words[number % len(words)] = head + colon + word
    return b", ".join(words)


def removed(content, others):
    return None


ANY = st.integers(0, 2**20)
CHANGES = st.one_of(
    st.builds(partial, st.just(flipped), at=ANY, bits=st.integers(1, 255)),
    st.builds(partial, st.just(cut), at=ANY),
    st.builds(partial, st.just(extended), more=st.binary(min_size=1, max_size=4)),
    st.builds(partial, st.just(replaced), by=st.binary(max_size=40)),
    st.builds(partial, st.just(copied_over), number=ANY),
    st.builds(partial, st.just(reworded), number=ANY, word=st.sampled_from((b"0", b"null", b"[]"))),
    st.just(removed),
)
"""What the content of one file becomes, given that of all others."""


def changed(path, number, change):
    """Change the file of that number below a folder."""
    there = sorted(file for file in path.rglob("*") if file.is_file())
    file = there[number % len(there)]
    content = change(file.read_bytes(), there)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


@settings(max_examples=40)
@given(ANY, CHANGES)
def test_any_bytes_in_any_file_of_a_run(whole, tmp_path_factory, number, change):
    path = tmp_path_factory.mktemp("run") / "run"
    shutil.copytree(whole, path)
    changed(path, number, change)
    with one_sentence():
        axes = ("width", "size", "seed", "quantity", "q")
        found = merge.read(str(path))["norm"].transpose(*axes)
        np.testing.assert_array_equal(found, expected(FEW))
    _continued(path, FEW)
    shutil.rmtree(path)


@contextlib.contextmanager
def one_sentence():
    try:
        yield
    except RunError as error:
        assert "\n" not in str(error)


def _continued(path, config):
    """The samples are those of a run that nobody damaged, and then nothing is damaged."""
    with one_sentence():
        norms, _ = sample(path, config)
        np.testing.assert_array_equal(norms, expected(config))
        assert sample(path, config)[1] == []
        merge.read(str(path))


MORE = replace(FEW, widths=(4, 8, 2), seeds=70)


@pytest.fixture(scope="module", params=[0, 12])
def extended(request, whole, tmp_path_factory):
    """A run that was killed when some files of a larger layout had been put in their places."""
    path = shutil.copytree(whole, tmp_path_factory.mktemp("extended") / "run")
    left, write = [1000], Local.write

    def stopping(self, name, content):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(self, name, content)
        if name == leftovers.COMPLETE:
            left[0] = request.param

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Local, "write", stopping)
        sample(path, MORE)
    assert (path / leftovers.COMPLETE).exists()
    return path


@settings(max_examples=20)
@given(ANY, CHANGES)
def test_any_bytes_in_any_file_of_a_run_that_was_killed(extended, number, change):
    path = extended.with_name("damaged")
    shutil.copytree(extended, path)
    changed(path, number, change)
    _continued(path, MORE)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "run"
    with studies.opened(str(path), {"seed": 0}, (), "cpu") as there:
        for number, name in enumerate(("ordinary-side8", "ordinary-side16")):
            there.finish(name, cell(number))
        there.keep_checkpoint("pgd:1-side8", cell(2))
    return path


def cell(number):
    return {"norm": np.full((2, 3), number / 7), "failed": np.array([-1, number])}


@settings(max_examples=60)
@given(ANY, CHANGES)
def test_any_bytes_in_any_file_of_a_study(study, tmp_path_factory, number, change):
    path = tmp_path_factory.mktemp("study") / "run"
    shutil.copytree(study, path)
    changed(path, number, change)
    with one_sentence():
        there, config = studies.stored(str(path), ())
        assert config == {"seed": 0}
        _check(there)
    with one_sentence(), studies.opened(str(path), {"seed": 0}, (), "cpu") as there:
        _check(there)
    shutil.rmtree(path)


@pytest.mark.parametrize("kind", ["compressed", "pickled"])
def test_cells_of_another_kind_are_not_read(study, tmp_path, kind):
    path = shutil.copytree(study, tmp_path / "study")
    with np.load(path / "cells/ordinary-side8.npz") as there:
        arrays = {name: there[name] for name in there.files}
    if kind == "pickled":
        arrays["norm"] = arrays["norm"].astype(object)
    write = {"compressed": np.savez_compressed, "pickled": np.savez}[kind]
    write(path / "cells/ordinary-side8.npz", **arrays)
    there, _ = studies.stored(str(path), ())
    with pytest.raises(RunError, match=r"ordinary-side8\.npz is damaged; the command that wrote"):
        there.finished("ordinary-side8")


def _check(there):
    """Cells are whole, or not there."""
    for number, name in enumerate(("ordinary-side8", "ordinary-side16")):
        for key, values in (there.finished(name) or {}).items():
            np.testing.assert_array_equal(values, cell(number)[key])
    for key, values in (there.checkpoint("pgd:1-side8") or {}).items():
        np.testing.assert_array_equal(values, cell(2)[key])
