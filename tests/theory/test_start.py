"""The theory never imports jax or sim, and neither does any --help."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "arguments", "forbidden"),
    [
        ("theory", [], ("jax", "sim")),
        ("theory", ["--help"], ("jax", "sim")),
        ("theory", ["theorem-5"], ("jax", "sim")),
        ("theory.laws", ["cnn", "--head", "gap"], ("jax", "sim")),
        ("theory.laws", ["resnet", "--activation", "gelu"], ("jax", "sim")),
        ("theory.defaults", [], ("jax", "sim")),
        ("sim.scaling", ["--help"], ("jax", "xarray", "matplotlib")),
        ("sim.report", ["--help"], ("jax", "matplotlib")),
        ("sim.vulnerability", ["--help"], ("jax", "xarray", "matplotlib", "optax")),
        ("sim.audit", ["--help"], ("jax", "xarray", "matplotlib")),
        ("sim.results", ["--help"], ("jax", "xarray", "matplotlib")),
        ("sim.penalty", ["--help"], ("jax", "xarray", "matplotlib", "optax")),
        ("sim.training", ["--help"], ("jax", "xarray", "matplotlib", "optax")),
        ("sim.pretrained", ["--help"], ("jax", "xarray", "matplotlib")),
        ("sim.atlas", ["--help"], ("jax", "xarray", "matplotlib")),
        ("sim.training_report", ["--help"], ("jax", "xarray", "matplotlib", "optax")),
        ("sim.statements", ["--help"], ("jax", "xarray", "matplotlib")),
        ("figures", ["--help"], ("jax",)),
    ],
)
def test_command_lines_start_without_jax(module, arguments, forbidden):
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['{module}', *{arguments!r}]\n"
        "try:\n"
        f"    runpy.run_module('{module}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        f"loaded = [name for name in {forbidden!r} if name in sys.modules]\n"
        "print('LOADED', loaded, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "LOADED []" in done.stderr, done.stderr
    assert done.stdout


def test_bad_usage_is_one_sentence():
    for arguments in (
        ["resnt"],
        ["cnn", "--head", "dens"],
        ["mlp", "--head", "gap"],
        ["--init", "hee"],
        ["mlp", "--activation", "tanhh"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "theory.laws", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1
