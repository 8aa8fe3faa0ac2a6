"""Compiled functions are kept in the user's cache folder, so that a second run starts faster."""

import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path

MOST = 2**30
"""Bytes that the folder may hold when a process begins."""


def folder() -> Path:
    """Where compiled functions are kept: below $XDG_CACHE_HOME, or ~/.cache without it."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    # the XDG specification has relative paths ignored
    base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    return base / "sqrt-d-law" / "compiled"


def keep() -> None:
    """Keep what is compiled from now on; for command lines, never called on import.

    Does nothing where the folder cannot be written, is another user's or one that everybody may
    write (what it holds is executed), or jax has a cache folder already
    (JAX_COMPILATION_CACHE_DIR). A cache that fails later, say on a full disk, only costs time.
    """
    import jax

    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    try:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        is_ours = is_private(folder())
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return
    if not is_ours or not os.access(folder(), os.W_OK | os.X_OK):
        return
    shorten(folder(), MOST)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    jax.config.update("jax_compilation_cache_dir", str(folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def kept() -> Path | None:
    """The folder where this process keeps what it compiles, if that is this project's own."""
    import jax

    is_ours = jax.config.values["jax_compilation_cache_dir"] == str(folder())
    return folder() if is_ours else None


def is_private(place: Path) -> bool:
    """Whether a folder is this user's own, and not for everybody to write.

    Windows has no such modes; there it lies in the user's own folder.
    """
    there = place.stat()
    if not hasattr(os, "geteuid"):
        return True
    return there.st_uid == os.geteuid() and not there.st_mode & stat.S_IWOTH


def shorten(place: Path, most: int) -> None:
    """Remove the files that were written first, until those that are left take half of `most`.

    Nothing is removed while all of them take no more than `most` bytes.
    """
    found: list[tuple[float, int, Path]] = []
    for file in place.iterdir():
        with suppress(OSError):  # another process may remove it
            about = file.lstat()
            found.append((about.st_mtime, about.st_size, file))
    left = sum(size for _, size, _ in found)
    if left <= most:
        return
    for _, size, file in sorted(found):
        if left <= most // 2:
            return
        with suppress(OSError):
            file.unlink()
        left -= size
