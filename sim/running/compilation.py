"""Compiled functions are kept in the user's cache folder, so that a second run starts faster."""

import os
import warnings
from pathlib import Path


def folder() -> Path:
    """Where compiled functions are kept: below $XDG_CACHE_HOME, or ~/.cache without it."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    # the XDG specification has relative paths ignored
    base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    return base / "sqrt-d-law" / "compiled"


def keep() -> None:
    """Keep what is compiled from now on; for command lines, never called on import.

    Does nothing where the folder cannot be written or jax has a cache folder already
    (JAX_COMPILATION_CACHE_DIR). A cache that fails later, say on a full disk, only costs time.
    """
    import jax

    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return
    if not os.access(folder(), os.W_OK | os.X_OK):
        return
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    jax.config.update("jax_compilation_cache_dir", str(folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
