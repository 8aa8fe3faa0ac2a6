"""Shapes in signatures are checked while the tests run; property tests are reproducible."""

import signal

from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("sim", "beartype.beartype")

# where the tests run in the background a shell has interruptions ignored, here and in children
signal.signal(signal.SIGINT, signal.default_int_handler)

# no test asserts a time, and examples must be the same in every run
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.load_profile("fixed")
