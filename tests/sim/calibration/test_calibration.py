"""What intervals cover and verdicts find, where the truth is known; short versions of the page.

Seeds are fixed. A share of R replicates must lie within four binomial standard errors of the band
or rate that it is held against; each broken twin must lie beyond.
"""

import json

import numpy as np
import pytest
import xarray as xr

from sim import calibration
from sim.calibration import __main__ as command
from sim.calibration import coverage, interval_methods
from sim.calibration.known_laws import DS, REPORTS, TRUTHS
from sim.statistics import estimates, fitting, intervals, verdicts

REPLICATES = 3000
Z_BOUND = 4


def beyond(hits, low, high):
    """Standard errors by which a share lies outside of [low, high]."""
    share, n = np.mean(hits), len(hits)
    below = (low - share) / np.sqrt(low * (1 - low) / n) if low else -np.inf
    above = (share - high) / np.sqrt(high * (1 - high) / n)
    return max(below, above)


def norms_of(name, seeds, replicates=REPLICATES):
    return TRUTHS[name]().sample(np.random.default_rng(12), replicates, seeds)


@pytest.mark.parametrize("name", ["narrow", "formed", "mild", "zeros"])
def test_intervals_cover_between_93_5_and_96_5_percent(name):
    truth, norms = TRUTHS[name](), norms_of(name, 32)
    assert (
        beyond(interval_methods.jackknife(norms, DS, truth.exponent), *calibration.BAND) < Z_BOUND
    )
    for j, mean in enumerate(truth.means):
        assert beyond(interval_methods.hall(norms[..., j], mean), *calibration.BAND) < Z_BOUND


def test_seeds_that_are_counted_twice_are_caught():
    truth, norms = TRUTHS["mild"](), np.repeat(norms_of("mild", 32), 2, axis=1)
    assert (
        beyond(interval_methods.jackknife(norms, DS, truth.exponent), *calibration.BAND) > Z_BOUND
    )
    assert beyond(interval_methods.hall(norms[..., 0], truth.means[0]), *calibration.BAND) > Z_BOUND


def test_methods_that_neglect_the_tail_are_caught():
    """Where the chosen ones hold: a linearized error, and t for a skewed mean."""
    truth, norms = TRUTHS["dying"](), norms_of("dying", 64)
    assert beyond(interval_methods.hall(norms[..., 0], truth.means[0]), *calibration.BAND) < Z_BOUND
    assert (
        beyond(interval_methods.student(norms[..., 0], truth.means[0]), *calibration.BAND) > Z_BOUND
    )
    assert (
        beyond(interval_methods.jackknife(norms, DS, truth.exponent), *calibration.BAND) < Z_BOUND
    )
    assert (
        beyond(interval_methods.linearized(norms, DS, truth.exponent), *calibration.BAND) > Z_BOUND
    )


def test_many_replicates_at_once_are_the_intervals_of_single_reports():
    truth, norms = TRUTHS["deep"](), norms_of("deep", 20, 50)
    slopes = [estimates.exponent(x, DS).interval for x in norms]
    means = [estimates.mean(x[:, 0]).interval for x in norms]
    inside = [low <= truth.exponent <= high for low, high in slopes]
    assert inside == interval_methods.jackknife(norms, DS, truth.exponent).tolist()
    inside = [low <= truth.means[0] <= high for low, high in means]
    assert inside == interval_methods.hall(norms[..., 0], truth.means[0]).tolist()
    assert [verdicts.is_reliable(x) for x in norms] == coverage.reliable(norms).tolist()


def test_the_jackknife_leaves_seeds_out():
    norms = norms_of("correlated", 12, 1)[0]
    slopes = [
        float(intervals.slope_weights(DS) @ np.log(np.delete(norms, s, 0).mean(axis=0)))
        for s in range(12)
    ]
    error = np.sqrt(11 / 12 * np.sum((slopes - np.mean(slopes)) ** 2))
    assert estimates.exponent(norms, DS).standard_error == pytest.approx(error)


def test_halls_interval_is_where_the_transformed_statistic_is_a_quantile():
    skewness = np.array([-3.0, 0.0, 1e-9, 0.5, 6.0])
    bound = intervals.quantile(0.95, 19)
    low, high = intervals.mean_interval(np.full(5, 2.0), np.full(5, 0.1), skewness, 20, 0.95)
    for ends, sign in ((low, 1), (high, -1)):
        found = intervals.transformed((2 - ends) / 0.1, skewness, 20)
        np.testing.assert_allclose(found, sign * bound)


def labelled(norms, report):
    """Norms by (row, seed, size) of the three widths and norms of a report."""
    table, q = ("width", "quantity", "q"), ["1", "2", "inf"]
    slopes = np.log(report.means) @ intervals.slope_weights(report.ds)
    shape = (3, 1, 3)
    return xr.Dataset(
        {
            "norm": ((*table, "seed", "size"), norms.reshape(*shape, *norms.shape[1:])),
            "predicted": ((*table, "size"), report.means.reshape(*shape, -1)),
            "predicted_slope": (table, slopes.reshape(shape)),
            "limit": (table, np.zeros(shape)),
            "basis": (table, np.full(shape, "exact")),
        },
        coords={
            "width": [1, 2, 3],
            "quantity": ["logit"],
            "q": q,
            "size": [2, 4, 8],
            "d": ("size", report.ds.astype(int)),
        },
        attrs={"arch": "mlp", "config": "{}"},
    )


def test_alarms_are_the_verdicts_of_reports():
    report = REPORTS["usual"]()
    norms = report.sample(np.random.default_rng(1), 40, 48)
    norms[20:] *= np.linspace(1, 1.5, 20)[:, None, None, None]  # some constants are wrong
    _, contradicted, warned = coverage.alarms(norms, report.ds, report.means)
    fits = [fitting.fit(labelled(x, report)) for x in norms]
    wrong = [any(False in (fit.agrees, fit.constant_agrees) for fit in rows) for rows in fits]
    assert wrong == contradicted.tolist()
    assert 0 < sum(wrong) < 40
    assert [not all(fit.reliable for fit in rows) for rows in fits] == warned.tolist()


def test_false_alarms_are_as_rare_as_stated():
    """And more frequent if every verdict had the level of the whole report."""
    report = REPORTS["usual"]()
    norms = report.sample(np.random.default_rng(2), REPLICATES, 64)
    for hits in coverage.alarms(norms, report.ds, report.means)[:2]:
        assert beyond(hits, 0.0, verdicts.FALSE_ALARM) < Z_BOUND
    each = [coverage.alarms(norms[:, [i]], report.ds, report.means[[i]])[0] for i in range(9)]
    assert beyond(np.any(each, axis=0), 0.0, verdicts.FALSE_ALARM) > Z_BOUND


def test_a_wrong_exponent_is_found_and_a_small_one_needs_more_seeds():
    few, many = (coverage.power("medium", n, 400, 0) for n in (16, 256))
    assert few.exponents[0.005].value < 0.1
    assert many.exponents[0.005].value > 0.9
    assert many.constants[0.01].value < 0.1 < many.constants[0.05].value


def test_the_page_has_all_tables_and_is_the_same_again(capsys, tmp_path):
    path = tmp_path / "calibration.json"
    arguments = ["power", "false-alarms", "--seeds", "16", "--replicates", "16"]
    assert command.main([*arguments, "--markdown", "--json", str(path)]) == 0
    page = capsys.readouterr().out
    assert page.startswith("# Calibration")
    assert "## Power" in page and "## False alarms" in page
    assert set(json.loads(path.read_text())) == {"config", "power", "false-alarms"}
    assert command.main([*arguments, "--markdown"]) == 0
    assert capsys.readouterr().out == page


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("pover", "did you mean 'power'?"),
        ("power power", "TABLE lists a value twice"),
        ("--seeds 2", "at least three seeds, not 2"),
        ("--replicates 3", "at least 16 --replicates"),
        ("--seed -1", "--seed must lie"),
        ("--markdown --json -", "both write to standard output"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments.split())
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in printed.err
