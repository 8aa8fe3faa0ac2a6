"""Shapes in signatures are checked while the tests run; property tests are reproducible.

What a test compiles, the others find in a cache of their own, which ends with the tests.
"""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile

# before NumPy: workers take a core each, and threads that wait for a core keep it busy
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("sim", "beartype.beartype")

# where the tests run in the background a shell has interruptions ignored, here and in children
signal.signal(signal.SIGINT, signal.default_int_handler)

# no test asserts a time, and examples must be the same in every run
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.load_profile("fixed")


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # workers and the processes of tests inherit it
        os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="sqrt-d-law-tests-")
        os.environ["XLA_FLAGS"] = _quick_to_compile()
    from sim.running import compilation

    compilation.keep()


def _quick_to_compile() -> str:
    """What to ask of XLA, if it has these flags: tests compile longer than they compute."""
    flags = (
        "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
        "--xla_cpu_parallel_codegen_split_count=1"
    )
    asked = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    trial = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": asked}, capture_output=True, check=False
    )
    return os.environ.get("XLA_FLAGS", "") if trial.returncode else asked


def pytest_collection_finish():
    """What was imported stays: to look for garbage there, as often as JAX's tracing makes Python do
    it, takes a tenth of the time.
    """
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(autouse=True)
def _traced_anew_where_code_is_replaced(request):
    """Programs are found by the source on disk, or by what they are made of, but a test has put
    something else in its place.
    """
    if "monkeypatch" not in request.fixturenames:
        return
    from sim.sampling import compiling, engine, traced

    patch = request.getfixturevalue("monkeypatch")
    replace, replace_item = patch.setattr, patch.setitem

    def traced_anew(replacing):
        def of(*arguments, **named):
            replace(traced, "_file", lambda name, arguments: None)
            replace(engine, "once", lambda *made_of: compiling.Once())
            replacing(*arguments, **named)

        return of

    patch.setattr, patch.setitem = traced_anew(replace), traced_anew(replace_item)


@pytest.fixture(autouse=True, scope="module")
def _programs_go_with_their_file():
    """What the tests of a file have compiled is not kept for the others, whose cache is on disk."""
    yield
    if jax := sys.modules.get("jax"):
        jax.clear_caches()


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True)
