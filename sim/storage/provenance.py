"""Where samples come from: versions, machine, commit, time. Without importing jax."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("sqrt-d-law", "jax", "jaxlib", "numpy", "scipy", "sympy", "xarray", "zarr")
ARITHMETIC = "2"
"""The version of our own arithmetic; the first one had Winograd's convolutions."""
BITWISE = ("jax", "jaxlib", "arithmetic")
"""What must stay while samples are added: another version of it rounds in another way."""


def session(backend: str, processes: int, devices: int) -> dict[str, Any]:
    """What one process that samples knows of itself, as JSON; `ended` is None until it ends.

    Args:
        backend: What computes: cpu, gpu or tpu.
        processes: How many processes share the work.
        devices: How many devices they have in all.
    """
    return {
        "started": now(),
        "ended": None,
        "backend": backend,
        "processes": processes,
        "devices": devices,
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "commit": commit(),
    }


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str | None]:
    """Versions of all that the samples depend on; None for a package that is not installed."""
    return {"arithmetic": ARITHMETIC} | {name: version(name) for name in PACKAGES}


@cache
def version(name: str) -> str | None:
    """The version of a package, which a process does not change; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # the project itself may run from its source tree
        return None


def other_versions(session: dict[str, Any]) -> list[str]:
    """What a session had of the packages that round in their own way, if it is not there now.

    Args:
        session: What `session` gave in an earlier process.

    Returns:
        Text such as "jax 0.8.0", one for each of `BITWISE` whose version has changed since.
    """
    now, then = versions(), {"arithmetic": "1"} | session["versions"]
    return [f"{name} {then[name]}" for name in BITWISE if then[name] != now[name]]


def commit() -> str | None:
    """The commit of the source tree, with "-dirty" if files differ from it; None if unknown."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    # GIT_DIR and others would name another repository
    environment = {name: x for name, x in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
