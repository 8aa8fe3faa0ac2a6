"""Arrays of random numbers: what they are made of, their moments, and draws of them by NumPy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

Moments = tuple[Any, Any]
"""Arrays: mean and variance: of every entry, or, as numbers, of all alike."""


@dataclass(eq=False)
class Random:
    """An array of random numbers."""

    shape: tuple[int, ...]
    make: Callable[["Draws"], np.ndarray]
    """(draws, *shape), from the draws of what it reads."""
    reads: tuple["Random", ...] = ()
    moments: Moments | None = None
    """None if they are to be found by drawing."""
    fresh: bool = True
    """Whether every step of a scan makes it anew."""


class Draws:
    """So many draws of random arrays, each made once."""

    def __init__(self, number: int, seed: int) -> None:
        self.number, self.seed = number, seed
        self.decides = False
        """Whether a moment was taken from draws, so that another seed gives another one."""
        self.generator = np.random.default_rng(seed)
        self._made: dict[int, tuple[Random, np.ndarray]] = {}

    def of(self, array: Random) -> np.ndarray:
        """The draws (number, *shape) of an array."""
        waiting = [array]
        while waiting:
            last = waiting[-1]
            missing = [x for x in last.reads if id(x) not in self._made]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if id(last) not in self._made:
                self._made[id(last)] = last, last.make(self)
        return self._made[id(array)][1]


Sampler = Callable[[np.random.Generator, tuple[int, ...], Any], np.ndarray]
Distribution = tuple[tuple[float, float], Sampler]


def _normal() -> Distribution:
    return (0.0, 1.0), lambda generator, shape, dtype: generator.standard_normal(shape, dtype)


def _uniform(low: float = 0.0, high: float = 1.0) -> Distribution:
    def sampler(generator: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        numbers = generator.random(shape, dtype)
        numbers *= dtype(high - low)
        numbers += dtype(low)
        return numbers

    middle = (low + high) / 2
    middle = 0.0 if abs(middle) < 1e-6 * (high - low) else middle  # float32 has no exact bounds
    return (middle, (high - low) ** 2 / 12), sampler


def _truncated_normal(low: float, high: float) -> Distribution:
    ends = special.ndtr(low), special.ndtr(high)
    inside = ends[1] - ends[0]
    bells = [math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) for x in (low, high)]
    mean = (bells[0] - bells[1]) / inside
    tails = [
        x * bell if math.isfinite(x) else 0.0 for x, bell in zip((low, high), bells, strict=True)
    ]
    variance = 1 + (tails[0] - tails[1]) / inside - mean**2

    def sampler(generator: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        numbers = generator.random(shape, dtype)
        numbers *= dtype(inside)
        numbers += dtype(ends[0])
        return special.ndtri(numbers, out=numbers)

    return (mean, variance), sampler


def _rademacher() -> Distribution:
    return (0.0, 1.0), lambda generator, shape, dtype: (
        2 * generator.integers(0, 2, shape, np.int8) - 1
    ).astype(dtype)


DISTRIBUTIONS: dict[str, Callable[..., Distribution]] = {
    "_normal": _normal,
    "_normal_real": _normal,
    "_uniform": _uniform,
    "_truncated_normal": _truncated_normal,
    "_rademacher": _rademacher,
}
"""By the name that `jax.random` gives the call: functions of its bounds."""
