"""Shapes in signatures are checked while the tests run; property tests are reproducible."""

from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("sim", "beartype.beartype")

# no test asserts a time, and examples must be the same in every run
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.load_profile("fixed")
