"""What no experiment can run, refused in one sentence each."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from theory.laws.norms import LARGEST_ORDER, dual, norm_order


def check_lists(config: Any, *names: str) -> None:
    """Refuses a field of a configuration that is an empty tuple, or that has a value twice.

    1 and 1.0, inf and Infinity, pgd-linf:0.1 and pgd-linf:0.10 are the same.

    Args:
        config: any dataclass.
        names: the names of its fields; a field that is None was not given.

    Raises:
        ValueError: with one sentence that names the flag.
    """
    for name in names:
        chosen, flag = getattr(config, name), f"--{name.replace('_', '-')}"
        if chosen is not None:
            check_distinct(flag, chosen)
        if chosen == ():
            raise ValueError(f"{flag} needs at least one value.")


def check_distinct(what: str, values: Iterable[Any]) -> None:
    """Refuses a list that has a value twice, however it is written.

    Raises:
        ValueError: with one sentence that begins with `what`.
    """
    chosen = list(values)
    if len(set(map(_meaning, chosen))) < len(chosen):
        raise ValueError(f"{what} lists a value twice: {' '.join(map(str, chosen))}.")


def _meaning(value: Any) -> tuple[float | str, ...]:
    """A value, such as "pgd-linf:0.10", with its numbers as numbers."""
    found: list[float | str] = []
    for part in str(value).split(":"):
        try:
            found.append(float(part))
        except ValueError:
            found.append(part)
    return tuple(found)


def check_seeds(seeds: int, seed: int) -> None:
    """Refuses too few seeds, or a key outside of its range.

    Raises:
        ValueError: with one sentence.
    """
    if seeds < 2:
        raise ValueError(f"an interval needs at least two seeds, not --seeds {seeds}.")
    check_key(seed)


def check_key(seed: int) -> None:
    """Refuses a key outside of its range.

    Raises:
        ValueError: with one sentence.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must lie between 0 and 2^32 - 1, not {seed}.")


def check_attacks(
    attack_norms: tuple[str, ...], eps: tuple[float, ...], dtype: str = "float32"
) -> None:
    """Refuses orders p without a norm or a dual norm, and sizes that are 0 or ∞ in `dtype`.

    Raises:
        ValueError: with one sentence.
    """
    for p in attack_norms:
        try:
            if norm_order(p) != 1:
                norm_order(dual(p))
        except ValueError:
            raise ValueError(
                f"--attack-norms needs p in [1, inf], not {p}; neither p nor p/(p - 1) may be a "
                f"number above {LARGEST_ORDER}."
            ) from None
    for size in eps:
        if not 0 < size < math.inf:
            raise ValueError(f"--eps must be positive numbers, not {size:g}.")
        check_size("--eps", size, dtype)


def check_size(what: str, size: float, dtype: str) -> None:
    """Refuses the size of an attack that is 0 or ∞ in arithmetic of `dtype`.

    Raises:
        ValueError: with one sentence.
    """
    range_of = np.finfo(dtype)
    low, high = float(range_of.tiny), float(range_of.max)
    if not low <= size <= high:
        raise ValueError(f"{what} {size:g} is beyond {dtype}, from {low:.0e} to {high:.0e}.")
