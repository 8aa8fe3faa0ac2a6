"""What a scaling run says: its fits, its points, its verdicts, and all of it as JSON."""

import json
from dataclasses import dataclass
from typing import Any

import xarray as xr

from sim.statistics import fitting, numbers
from sim.statistics.fits import Fit, Point, verdict
from sim.statistics.numbers import fields
from sim.storage import attributes


@dataclass(frozen=True)
class Report:
    """Fits and points of one run, with its configuration."""

    config: dict[str, Any]
    sampler: str
    seeds: int
    fits: list[Fit]
    points: list[Point]
    nonfinite: int
    dead: int
    underflown: int
    samples: int
    """Samples that there are."""
    unfinished: int
    """Samples that a stored run lacks."""
    extended_from: list[int]
    """Seeds at which the run may have been looked at before it was extended."""
    rests: list[str]
    """What the predictions leave out, a sentence each."""
    degenerate: str | None = None
    """Why all samples at a size are zero or not finite, if that is known."""

    @classmethod
    def of(cls, samples: xr.Dataset) -> "Report":
        """The report of what `sim.scaling.run` returned, or of a stored run."""
        there = xr.ones_like(samples["norm"], bool) & samples.get("finished", True)
        return cls(
            config=attributes.configuration(samples.attrs),
            sampler=samples.attrs["sampler"],
            seeds=samples.sizes["seed"],
            fits=fitting.fit(samples),
            points=fitting.points(samples),
            nonfinite=fitting.nonfinite(samples[["norm"]].where(there, 1)),
            dead=fitting.dead(samples),
            underflown=fitting.underflown(samples),
            samples=int(there.sum()),
            unfinished=int((~there).sum()),
            extended_from=attributes.extended_from(samples.attrs),
            rests=json.loads(samples.attrs.get("rests", "[]")),
            degenerate=samples.attrs.get("degenerate"),
        )

    @property
    def contradicted(self) -> bool:
        """True if a measured exponent contradicts its law, or a constant an exact law."""
        return any(fit.agrees is False or fit.constant_agrees is False for fit in self.fits)

    @property
    def reached(self) -> bool | None:
        """Whether every interval is as narrow as `until` asks for; None if it asks for nothing."""
        if self.config["until"] is None:
            return None
        return all(fit.exponent.half_width <= self.config["until"] for fit in self.fits)


def to_json(report: Report) -> str:
    """One JSON object {"config", "fits", "points", ...}; its schema is `report.schema.json`."""
    return numbers.to_json(
        fields(report, "config", "sampler", "seeds", "extended_from", "reached", "rests")
        | {"fits": [_fit(fit) for fit in report.fits]}
        | {"nonfinite": report.nonfinite, "zero": report.dead, "underflown": report.underflown}
        | {"points": [_point(point) for point in report.points]}
    )


def _fit(fit: Fit) -> dict[str, Any]:
    ratio, off = fit.ratio, fit.norm_off
    return {
        **fields(fit, "arch", "width", "quantity", "q"),
        "exponent": fit.exponent.value,
        "ci": fit.exponent.interval,
        "ci_any_time": fit.exponent.any_time,
        **fields(fit, "predicted", "predicted_error", "limit", "basis", "agrees"),
        "seeds": fit.exponent.seeds,
        "ratio": ratio and ratio.value,
        "ratio_ci": ratio and ratio.interval,
        "ratio_ci_any_time": ratio and ratio.any_time,
        "constant_agrees": fit.constant_agrees,
        "norm_off": off and {"size": off.size, "ratio": off.ratio.value, "ci": off.ratio.valid},
        "verdict": verdict(fit),
        "reliable": fit.reliable,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        **fields(point, "arch", "width", "size", "d", "quantity", "q", "mean", "sem"),
        "ci": point.interval,
        "ci_any_time": point.any_time,
        **fields(point, "predicted", "law"),
        "hypothesis-H": point.hypothesis_h,
        "seeds": point.seeds,
    }
