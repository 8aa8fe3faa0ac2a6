"""The cache of compiled functions: where it is, and that it never gets in the way."""

import os
import subprocess
import sys

import pytest

from sim.running import compilation

RUN = "--arch cnn --widths 8 --depth 2 --sizes 8 16 --seeds 4".split()  # noqa: SIM905


def call(**environment):
    command = [sys.executable, "-m", "sim.scaling", *RUN]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XDG_"))}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=kept | environment
    )


def test_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert compilation.folder() == tmp_path / "x" / "sqrt-d-law" / "compiled"
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert compilation.folder() == tmp_path / ".cache" / "sqrt-d-law" / "compiled"


def test_the_folder_is_bounded(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).write_bytes(bytes(10))
        os.utime(tmp_path / str(number), (number, number))
    compilation.shorten(tmp_path, 100)
    assert len(list(tmp_path.iterdir())) == 10
    compilation.shorten(tmp_path, 99)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["6", "7", "8", "9"]


def test_a_folder_of_another_user_or_of_everybody_is_not_used(tmp_path, monkeypatch):
    assert compilation.is_private(tmp_path)
    tmp_path.chmod(0o777)
    assert not compilation.is_private(tmp_path)
    tmp_path.chmod(0o700)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert not compilation.is_private(tmp_path)


@pytest.mark.slow
def test_a_second_run_reads_what_the_first_one_kept(tmp_path):
    first = call(XDG_CACHE_HOME=str(tmp_path))
    kept = {path.name for path in (tmp_path / "sqrt-d-law" / "compiled").iterdir()}
    second = call(XDG_CACHE_HOME=str(tmp_path))
    assert first.returncode == second.returncode == 0
    assert first.stderr == second.stderr == ""
    assert first.stdout == second.stdout
    assert len([name for name in kept if name.endswith("-cache")]) >= 1
    after = {path.name for path in (tmp_path / "sqrt-d-law" / "compiled").iterdir()}
    assert {name for name in after if name.endswith("-cache")} <= kept


@pytest.mark.slow
def test_a_damaged_folder_is_harmless(tmp_path):
    first = call(XDG_CACHE_HOME=str(tmp_path))
    damaged = list((tmp_path / "sqrt-d-law" / "compiled").iterdir())
    for path in damaged:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    second = call(XDG_CACHE_HOME=str(tmp_path))
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert damaged


@pytest.mark.slow
def test_jax_has_its_own_say(tmp_path):
    done = call(XDG_CACHE_HOME=str(tmp_path / "x"), JAX_COMPILATION_CACHE_DIR=str(tmp_path / "j"))
    assert done.returncode == 0
    assert not (tmp_path / "x" / "sqrt-d-law").exists()


@pytest.mark.slow
@pytest.mark.parametrize("obstacle", ["a file", "a full disk"])
def test_a_useless_folder_is_harmless(tmp_path, obstacle):
    if obstacle == "a file":
        (tmp_path / "sqrt-d-law").write_text("in the way")
        place = str(tmp_path)
    else:
        # a folder that accepts no file, even from an administrator
        place = "/proc"
    done = call(XDG_CACHE_HOME=place, MPLCONFIGDIR=str(tmp_path))
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.slow
def test_help_keeps_nothing(tmp_path):
    command = [sys.executable, "-m", "sim.scaling", "--help"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run(command, capture_output=True, check=True, env=environment)
    assert list(tmp_path.iterdir()) == []


def test_where_a_system_has_no_owners_the_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "geteuid")
    assert compilation.is_private(tmp_path)
