"""What a report of a study says of growth with d, on studies whose powers of d are known."""

import json
from importlib import resources

import jsonschema
import numpy as np
import pytest
from studies import CONFIG, EXPONENTS, invented

from sim.statistics import estimates, finite
from sim.training import growth
from sim.training.as_json import to_json
from sim.training.configuration import BEFORE
from sim.training.damage_curve import curve_of_seeds, damage_curves
from sim.training.growth import Quantity
from sim.training.tables import tables

DS = np.array([64.0, 256.0, 1024.0])


@pytest.fixture(scope="module")
def samples():
    return invented()


def test_exponents_of_norms_and_damages_are_those_that_are_there(samples):
    fits = growth.fits(samples)
    assert {fit.training for fit in fits} == set(EXPONENTS)
    for fit in fits:
        wanted = EXPONENTS[fit.training]
        if fit.quantity.kind == "norm":
            wanted += {"1": 0, "2": -0.5, "inf": -1}[str(fit.quantity.q)]
        if fit.quantity.kind != "vulnerability":
            assert fit.exponent.value == pytest.approx(wanted, abs=1e-9)
            assert (fit.predicted is None) == (fit.training != BEFORE or fit.quantity.q is None)


def test_vulnerability_has_an_exponent_only_where_there_are_no_zeros(samples):
    for fit in growth.fits(samples):
        if fit.quantity.kind == "vulnerability" and fit.quantity.eps == 0.02:
            assert fit.zero_at == (8,)
            assert np.isnan(fit.exponent.value)
        elif fit.quantity.kind == "vulnerability":  # 4, 5 and 8 of 200
            slope = np.polyfit(np.log(DS), np.log([4, 5, 8]), 1)[0]
            assert fit.zero_at == ()
            assert fit.exponent.value == pytest.approx(slope)
    (table,) = (table for table in tables(samples) if "vulnerability" in table.title)
    assert table.rows[0][1] == "0 at side 8"


def test_differences_pair_the_seeds(samples):
    """Every seed has its own factor, the same in all trainings: differences have no spread."""
    found = growth.changes(samples)
    assert {(c.training, c.reference) for c in found} == {
        ("ordinary", BEFORE), ("pgd-linf:0.1", BEFORE), ("pgd-linf:0.1", "ordinary"),
    }  # fmt: skip
    for change in found:
        if change.quantity.kind != "vulnerability":
            wanted = EXPONENTS[change.training] - EXPONENTS[change.reference]
            assert change.difference.value == pytest.approx(wanted, abs=1e-9)
            assert change.difference.half_width < 1e-9


def test_differences_are_over_the_sides_that_both_have(samples):
    unfinished = samples.copy(deep=True)
    for name in ("norm", "damage", "fooled", "accuracy"):
        unfinished[name].loc[{"training": "pgd-linf:0.1", "size": 32}] = np.nan
    # what is there no longer follows the power at side 32, where nothing is compared
    unfinished["norm"].loc[{"training": BEFORE, "size": 32}] *= 100
    (found,) = (
        change.difference.value
        for change in growth.changes(unfinished)
        if (change.training, change.reference) == ("pgd-linf:0.1", BEFORE)
        and (change.set, change.quantity) == ("test", Quantity("norm", "1"))
    )
    assert found == pytest.approx(0.1 - 0.5)


def test_the_interval_of_a_difference_covers():
    """Of 2000 differences of correlated seeds 95 % ± 4 standard errors; unpaired ones are wider."""
    draw, paired, covered, unpaired = np.random.default_rng(1), [], 0, []
    for _ in range(2000):
        common = draw.normal(size=(8, 3))
        one, other = (
            np.exp(0.3 * common + 0.1 * draw.normal(size=(8, 3))) * DS**b for b in (0.5, 0.2)
        )
        found = finite.exponent_difference(one, other, DS)
        covered += found.interval[0] <= 0.3 <= found.interval[1]
        paired.append(found.standard_error)
        apart = [estimates.exponent(rows, DS).standard_error for rows in (one, other)]
        unpaired.append(np.hypot(*apart))
    assert abs(covered / 2000 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000)
    assert np.mean(unpaired) > 2 * np.mean(paired)


def test_one_curve_is_one_curve_and_two_are_two(samples):
    for curve in damage_curves(samples):
        assert curve.trainings == 25
        assert curve.correlation.value > 0.95
        assert curve.exponent.value == pytest.approx(1)
        assert all(abs(mean.value) < 1e-9 for mean in curve.factors.values())
    apart = invented(factor=lambda kind: 0.25 if kind == "cross-lipschitz" else 1.0)
    for curve in damage_curves(apart):
        assert curve.correlation.value < 0.9
        factors = {kind: mean.value for kind, mean in curve.factors.items()}
        assert min(factors, key=factors.__getitem__) == "cross-lipschitz"
        gap = factors["cross-lipschitz"] - factors["penalty-l1"]
        assert gap == pytest.approx(np.log(0.25), abs=0.05)


def test_one_curve_is_of_the_seeds_that_all_trainings_have(samples):
    """Three more seeds, of which nothing is known: those of ordinary training alone."""
    more = samples.reindex(seed=range(CONFIG.seeds + 3))
    for curve, wanted in zip(damage_curves(more), damage_curves(samples), strict=True):
        assert curve == wanted


def test_a_rank_correlation_asks_for_no_power_law():
    norms = np.exp(np.random.default_rng(2).normal(size=(3, 6)))
    names = ["ordinary", *(f"penalty-l1:{i}" for i in range(1, 6))]
    for damages, sign in ((np.expm1(norms**2), 1), (np.exp(-norms), -1)):
        assert curve_of_seeds(norms, damages, names)[0].value == pytest.approx(sign)


def test_the_report_follows_its_schema(samples):
    text = resources.files("sim.training").joinpath("report.schema.json").read_text()
    result = json.loads(to_json(samples))
    jsonschema.validate(result, json.loads(text), jsonschema.Draft202012Validator)
    assert len(result["curves"]) == len(CONFIG.attack_norms) * len(CONFIG.eps)
