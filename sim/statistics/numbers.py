"""How a number is written: with its interval for people, or as JSON."""

import json
import math
from typing import Any, Protocol, runtime_checkable

from sim.statistics.estimates import Expected


@runtime_checkable
class Estimated(Protocol):
    """A number with its interval, and perhaps that at any number of seeds."""

    @property
    def value(self) -> float: ...
    @property
    def interval(self) -> tuple[float, float]: ...
    @property
    def any_time(self) -> tuple[float, float] | None: ...


def finite_or_none(value: float) -> float | None:
    """The number, or None for what JSON has no number for: infinite, or not a number."""
    return float(value) if math.isfinite(value) else None


def with_error(value: float, low: float, high: float) -> str:
    """A value and the half-width of its interval, to three decimals or more if that is small."""
    if not math.isfinite(value):
        return "–"
    half = (high - low) / 2
    digits = _digits(half)
    return f"{value:.{digits}f} ± {half:.{digits}f}"


def estimated(found: Estimated) -> str:
    """An estimate with half its interval, and half of that at any time: "0.50 ± 0.01 (± 0.02)"."""
    text = with_error(found.value, *found.interval)
    if found.any_time is None or text == "–":
        return text
    low, high = found.any_time
    half = (high - low) / 2
    return f"{text} (± {half:.{_digits(half)}f})"


def ranged(found: Estimated) -> str:
    """An estimate with its interval, and that at any time: "0.98 [0.90, 1.09] ([0.85, 1.15])"."""
    text = with_ends(found.value, *found.interval)
    if found.any_time is None or text == plain(found.value, ".3f"):
        return text
    return f"{text} ({with_ends(found.value, *found.any_time).partition(' ')[2]})"


def expected_slope(slope: Expected | None) -> str:
    """A predicted exponent, with half its 95 % interval if it is sampled: "0.015 ± 0.008"."""
    if slope is None:
        return "–"
    if slope.standard_error == 0:
        return plain(slope.value, ".4f")
    half = slope.half_width
    return with_error(slope.value, slope.value - half, slope.value + half)


def with_ends(value: float, low: float, high: float) -> str:
    """A value and its interval, which need not be symmetric: "0.985 [0.901, 1.088]"."""
    if not math.isfinite(low + high):
        return plain(value, ".3f")
    digits = _digits((high - low) / 2)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _digits(half: float) -> int:
    return 3 if half >= 0.005 or half == 0 else min(5, 1 - math.floor(math.log10(half)))


def plain(value: float | None, form: str) -> str:
    """A number in this format, without a negative zero; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = format(value, form)
    return text.removeprefix("-") if float(text) == 0 else text  # no negative zero


def between(value: float, low: float, high: float, form: str) -> str:
    """A value and its interval, all in one format: "1.02 [0.98, 1.07]" for ".2f"."""
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def for_json(value: Any) -> Any:
    """The value, and all that dictionaries, lists and tuples in it hold, with numbers JSON has.

    A float that is infinite or not a number becomes None (`finite_or_none`); a tuple becomes a
    list.
    """
    if isinstance(value, dict):
        return {name: for_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(inner) for inner in value]
    return finite_or_none(value) if isinstance(value, float) else value


def fields(row: Any, *names: str) -> dict[str, Any]:
    """Some attributes of a row by their names."""
    return {name: getattr(row, name) for name in names}


def to_json(content: dict[str, Any]) -> str:
    """The text of one JSON object, with `for_json` of what it holds."""
    return json.dumps(for_json(content), indent=1, allow_nan=False) + "\n"
