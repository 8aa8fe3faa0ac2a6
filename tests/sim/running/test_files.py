"""Files are written whole or not at all, and what they replace stays what it was."""

import errno
import os
import stat
from pathlib import Path

import pytest

from sim.running import files


def replace_by(path, content="new"):
    with files.replacing(str(path)) as part:
        part.write_text(content)


def test_a_failure_leaves_the_old_file(tmp_path):
    old = tmp_path / "a.json"
    old.write_text("old")
    with pytest.raises(KeyError), files.replacing(str(old)) as part:
        part.write_text("half")
        raise KeyError
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/file").write_text("old")
    (tmp_path / "link").symlink_to("inner/file")
    replace_by(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "inner/file").read_text() == "new"


def test_a_dangling_link_gets_its_file(tmp_path):
    (tmp_path / "link").symlink_to("file")
    replace_by(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_all_names_of_a_file_see_the_new_content(tmp_path):
    (tmp_path / "one").write_text("old and longer")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    replace_by(tmp_path / "one")
    assert (tmp_path / "two").read_text() == "new"
    assert (tmp_path / "one").stat().st_nlink == 2


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_file_keeps_its_mode(tmp_path, mode):
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(mode)
    replace_by(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_device_is_written_to():
    files.check_writable(os.devnull)
    replace_by(os.devnull)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_two_results_in_one_file_are_refused(tmp_path):
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(ValueError, match="two results would be written to"):
        files.check_writable(str(tmp_path / "file"), None, str(tmp_path / "link"))
    files.check_writable(str(tmp_path / "file"), str(tmp_path / "other"), "-")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    (tmp_path / "one").touch()
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    with pytest.raises(ValueError, match="two results would be written to"):
        files.check_writable(str(tmp_path / "one"), str(tmp_path / "two"))


def test_a_result_and_a_run_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("run")
    for run, name in (
        ("run", "run"), ("./run", f"{tmp_path}/run"), ("run", "run/zarr.json"),
        ("runs/one", "runs"), ("run", "link"), ("link", "run/x"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"cannot write {name}: that and {run}, a run, lie"):
            files.check_apart(run, None, "-", name)
    files.check_apart("run", None, "-", "run.json", "runs/x")
    files.check_apart(None, "run")
    files.check_apart("memory://run", "run")


def test_a_name_that_is_too_long_is_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="File name too long"):
        files.check_writable(str(tmp_path / ("a" * 300)))


def test_links_in_a_circle_are_a_sentence(tmp_path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(ValueError, match="its links lead in a circle"):
        files.check_writable(str(tmp_path / "link"))


def test_a_full_disk_leaves_nothing_incomplete(tmp_path):
    def half(part):
        part.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = str(tmp_path / "picture.png")
    with pytest.raises(OSError) as stop, files.replacing(path) as part:
        half(part)
    assert (stop.value.filename, stop.value.errno) == (path, errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []
