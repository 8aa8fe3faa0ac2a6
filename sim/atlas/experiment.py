"""Architectures measured and predicted, each in a process that ends with all it holds."""

import multiprocessing
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from math import nan
from typing import NamedTuple

import psutil

from sim import scaling
from sim.atlas.configuration import NORMS, Config, check
from sim.atlas.networks import end_of
from sim.atlas.rows import Row, key, wanted
from sim.running import compilation
from sim.scaling.report import Report
from sim.statistics.fits import Fit, Point, verdict


class Failed(NamedTuple):
    """An architecture that could not be measured."""

    model: str
    why: str
    """One sentence."""


def run(
    config: Config,
    there: list[Row] | None = None,
    keep: Callable[[list[Row]], None] = lambda rows: None,
    advance: Callable[[int], None] = lambda done: None,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[list[Row], list[Failed]]:
    """Measure all architectures that are not there already.

    Args:
        config: Which architectures, and at which sides.
        there: Rows of an earlier run.
        keep: Called with all rows whenever an architecture is finished.
        advance: Called with 1 for each that is finished.
        tell: Called with a sentence for each that could not be measured, at once.

    Returns:
        The rows of what is asked for, in its order; and what could not be measured.

    Raises:
        ValueError: With one sentence: the configuration makes no sense.
    """
    check(config)
    asked, rows, failed = wanted(config), list(there or ()), []
    known = {key(row) for row in rows}
    left = [one.model for one in asked if one not in known]
    advance(len(asked) - len(left))
    if left:
        # a spawned process has no threads of its parent, which jax would need
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(config.workers, fresh, _quiet, max_tasks_per_child=1) as pool:
            try:
                for done in as_completed([pool.submit(measured, config, x) for x in left]):
                    found = done.result()
                    if isinstance(found, Failed):
                        failed.append(found)
                        tell(f"{found.model}: {found.why}")
                    else:
                        rows += found
                        keep(rows)
                    advance(1)
            except BrokenProcessPool as error:
                raise ValueError(
                    "the process of an architecture was ended, perhaps for lack of memory; what is "
                    "finished is kept in --csv."
                ) from error
            except BaseException:  # an interruption, which the pool would wait out
                for child in psutil.Process().children():
                    child.terminate()
                raise
    order = {of: i for i, of in enumerate(asked)}
    mine = [row for row in rows if key(row) in order]
    return sorted(mine, key=lambda row: order[key(row)]), failed


def _quiet() -> None:
    """Warnings of libraries are not shown, as in `theory.console.run`."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def measured(config: Config, model: str) -> list[Row] | Failed:
    """The rows of one architecture, in this process."""
    compilation.keep()
    asked = scaling.Config(
        model=model, sizes=config.sizes, seeds=config.seeds, seed=config.seed, norms=NORMS
    )
    try:
        samples = scaling.run(asked)
    except (ValueError, MemoryError) as error:
        return Failed(model, str(error) or "it does not fit into memory.")
    report = Report.of(samples)
    process = psutil.Process()
    times, memory = process.cpu_times(), process.memory_info()
    most = getattr(memory, "peak_wset", None) or _peak() or memory.rss
    last = {point.q: point for point in report.points if point.size == max(config.sizes)}
    why = report.degenerate or samples.attrs.get("unpredicted")
    remark = " ".join(filter(None, (why, *report.rests)))
    return [
        _row(config, model, fit, last[fit.q], times.user + times.system, most // 2**20, remark)
        for fit in report.fits
    ]


def _peak() -> int:
    """The most bytes that this process had, where the system says so."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _row(
    config: Config, model: str, fit: Fit, last: Point, seconds: float, mebibytes: int, remark: str
) -> Row:
    exponent, ratio = fit.exponent, fit.ratio
    return Row(
        model=model,
        end=end_of(model),
        q=fit.q,
        sizes=" ".join(map(str, sorted(config.sizes))),
        seeds=config.seeds,
        seed=config.seed,
        exponent=exponent.value,
        low=exponent.interval[0],
        high=exponent.interval[1],
        predicted=nan if fit.predicted is None else fit.predicted,
        predicted_error=nan if fit.predicted_error is None else fit.predicted_error,
        mean=last.mean,
        mean_low=last.interval[0],
        mean_high=last.interval[1],
        ratio=ratio.value if ratio else nan,
        ratio_low=ratio.interval[0] if ratio else nan,
        ratio_high=ratio.interval[1] if ratio else nan,
        verdict=verdict(fit),
        seconds=round(seconds, 1),
        mebibytes=mebibytes,
        remark=remark,
    )
