"""What a scaling run says of each norm: dataclasses of numbers, and how they are read."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sim.statistics.estimates import Expected, Mean, Slope
from sim.statistics.numbers import estimated, expected_slope, plain, ranged
from theory.printout import text
from theory.tables import Table, columns, html

if TYPE_CHECKING:
    from pandas import DataFrame

OFF = 0.03
"""Part by which a norm may miss its prediction before a report says so in words.

A norm is off where, at some size, the 95 % interval of measured over predicted (at any time, if the
run was extended) lies wholly beyond 1 ± OFF: so that a wrong constant is told at once and one known
to be approximate is not."""


@dataclass(frozen=True)
class Off:
    """Where a norm misses its prediction by more than `OFF`, and by how much."""

    size: int
    is_largest: bool
    """Whether it is the largest of the sizes."""
    ratio: Mean
    """Measured over predicted norm."""


@dataclass(frozen=True)
class Fit:
    """The growth of one norm with d in one network, measured and predicted."""

    arch: str
    width: int | None
    """None for a user's own model, whose width is not known."""
    quantity: str
    q: str
    exponent: Slope
    """Of the mean norm: least-squares slope of log E‖∂‖_q on log d."""
    log_exponent: Slope
    """Of the geometric mean: mean over seeds of the slope of log‖∂‖_q. Zero norms are left out."""
    expected: Expected | None
    """The predicted slope over the same sizes; random if it is sampled."""
    limit: float | None
    """The law's exponent as d → ∞."""
    basis: str
    agrees: bool | None
    """Of the exponent: False if it contradicts the predicted slope, whose error is allowed for.

    None if there is no prediction, or if norms were left out that are not finite: the others are
    the small ones."""
    ratios: dict[int, Mean | None]
    """Mean norm over predicted norm by size, in increasing order; None if there is no prediction.

    The intervals contain the error of a prediction that is random."""
    norm_off: Off | None
    """Where the measured norm misses the predicted one; None if it does not, or nobody knows.

    At the largest size if it is off there, else where it is farthest off. Nobody knows if there is
    no prediction, or if norms were left out."""
    constant_agrees: bool | None
    """Of the constant: False if the ratio contradicts 1.

    A wrong constant leaves the exponent as it is, so that `agrees` cannot see it. Only a law that
    is "exact" claims its constant. Where one rests on large width or on the paper's hypotheses the
    constant is known to be approximate: the ratio shows by how much, and there is no verdict
    (None). None as well unless the fit is `reliable`."""
    unmeasured: str | None
    """Why the samples carry no verdict at all (`verdicts.unmeasured`); None if they do."""
    reliable: bool
    """Whether the intervals can be expected to cover as they say.

    False if they are `unmeasured`, with fewer than FEWEST_SEEDS seeds, if norms were left out, or
    if at some size the skewness of the norms, divided by √seeds, exceeds LARGEST_SKEWNESS: then few
    seeds carry much of the mean, and larger ones yet unseen may carry more."""

    @property
    def ratio(self) -> Mean | None:
        """Mean norm over predicted norm at the largest size; None if there is no prediction."""
        return self.ratios[max(self.ratios)]

    @property
    def predicted(self) -> float | None:
        """The law's slope over the same sizes."""
        return None if self.expected is None else self.expected.value

    @property
    def predicted_error(self) -> float | None:
        """The standard error of `predicted`: 0 unless it is sampled."""
        return None if self.expected is None else self.expected.standard_error

    @property
    def attack_exponent(self) -> float:
        """Of ε_p‖∂‖_q for the dual p at a constant change per pixel, ε_p ∝ d^{1/p}: 1/p more."""
        return self.exponent.value + (1 - 1 / float(self.q))


@dataclass(frozen=True)
class Point:
    """The mean norm at one size, with its standard error over seeds and its 95 % interval."""

    arch: str
    width: int | None
    """As in `Fit`."""
    size: int
    d: int
    quantity: str
    q: str
    mean: float
    sem: float
    interval: tuple[float, float]
    """Of the mean (`Mean`), not symmetric about it."""
    any_time: tuple[float, float] | None
    """The same at any number of seeds, of a run that was extended."""
    predicted: float | None
    law: float | None
    """What the law says, where the prediction is another one because the law leaves something
    out."""
    hypothesis_h: float | None
    """What the paper's hypotheses alone predict, where the prediction rests on more."""
    seeds: int
    """Seeds with a finite norm, which alone enter the mean."""


NARROW = 26
"""Characters of a line of a verdict where a table is too wide: enough for "exponent agrees; norm
1.43"."""

SPARE = ("rests on", "d → ∞", "ratio")
"""Columns that a narrow page does without, the first one first."""


class Fits(list[Fit]):
    """The fits of a run: a list, which is shown as a table."""

    def __repr__(self) -> str:
        return text(self.table())

    def _repr_html_(self) -> str:
        return html(self.table())

    def table(self) -> Table:
        """A row for each fit, with its verdict in words."""
        names = (
            *("width", "quantity", "q", "exponent of d", "predicted", "d → ∞", "rests on"),
            *("ratio", "verdict"),
        )
        rows = tuple(
            (
                *("–" if fit.width is None else str(fit.width), fit.quantity, fit.q),
                *(estimated(fit.exponent), expected_slope(fit.expected), plain(fit.limit, ".4g")),
                *(fit.basis, ranged(fit.ratio) if fit.ratio else "–", verdict(fit)),
            )
            for fit in self
        )
        *shown, last = columns(names, ("quantity", "rests on", "verdict"), SPARE)
        width = min(NARROW, max(len(row[-1]) for row in (names, *rows)))
        archs = dict.fromkeys(fit.arch for fit in self)
        return Table(", ".join(archs), (*shown, replace(last, width=width)), rows, keys=3)

    def to_dataframe(self) -> "DataFrame":
        """A row for each fit, as pandas has it.

        Returns:
            Columns `arch`, `width` (None for a user's own model), `quantity`, `q`; `exponent`, with
            its 95 % interval from `low` to `high`; `predicted`, its standard error
            `predicted_error`, the `limit` as d → ∞ and the `basis`; `agrees`; the `ratio` of
            measured and predicted norm at the largest size, with its interval from `ratio_low` to
            `ratio_high`; the `verdict` in words, whether the intervals are `reliable`, and `seeds`.
        """
        import pandas as pd

        return pd.DataFrame([_row(fit) for fit in self])


def _row(fit: Fit) -> dict[str, Any]:
    (low, high), ratio = fit.exponent.interval, fit.ratio
    ratio_low, ratio_high = ratio.interval if ratio else (None, None)
    return {
        **{name: getattr(fit, name) for name in ("arch", "width", "quantity", "q")},
        **{"exponent": fit.exponent.value, "low": low, "high": high},
        **{"predicted": fit.predicted, "predicted_error": fit.predicted_error},
        **{"limit": fit.limit, "basis": fit.basis, "agrees": fit.agrees},
        **{"ratio": ratio and ratio.value, "ratio_low": ratio_low, "ratio_high": ratio_high},
        **{"verdict": verdict(fit), "reliable": fit.reliable, "seeds": fit.exponent.seeds},
    }


UNCERTAIN = 2.0
"""The factor by which a ratio may differ from 1 without a word, if its interval allows for 1."""


def verdict(fit: Fit) -> str:
    """Whether a measurement agrees with its prediction, in a few words."""
    if fit.unmeasured is not None:
        return f"no measurement: {fit.unmeasured}"
    if fit.agrees is None:
        on_exponent = "no prediction" if fit.predicted is None else "no measurement"
    elif fit.agrees and fit.constant_agrees is False:
        on_exponent = "CONTRADICTS (constant)"
    else:
        on_exponent = "agrees" if fit.agrees else "CONTRADICTS"
    on_norm = _on_norm(fit)
    if on_norm is None:
        return on_exponent
    return f"{on_exponent.replace('agrees', 'exponent agrees')}; {on_norm}"


def _on_norm(fit: Fit) -> str | None:
    """By how much the norm misses its prediction; None if it does not."""
    if fit.norm_off is not None:
        where = "" if fit.norm_off.is_largest else f" at side {fit.norm_off.size}"
        return f"norm {times(fit.norm_off.ratio)} the prediction{where}"
    ratio = fit.ratio
    if ratio is None or not math.isfinite(ratio.value):
        return None
    if 1 / UNCERTAIN < ratio.value < UNCERTAIN:
        return None
    return f"norm {times(ratio)} the prediction, but uncertain"


def times(ratio: Mean) -> str:
    """A ratio in words: "1.09 times"."""
    value = ratio.value
    digits = ".2f" if 0.1 < value < 2 else ".2g" if value < 10 else ".3g"
    return f"{value:{digits}} times"
