"""Runs compared: differences of exponents and ratios of norms, in pairs where seeds are shared."""

import json

import numpy as np
import pytest
import xarray as xr
from test_report import stored

from sim import report
from sim.scaling import compare
from sim.scaling.compared import answer, printout, to_json
from sim.scaling.comparison_picture import figure_of
from sim.storage import store
from theory.printout import show

DS = np.array([48.0, 192.0])


def steeper(samples, by=0.1, times=1.0, noise=0.0, key=9):
    """The same networks, whose norms grow by d^by more and are so many times as large."""
    rng = np.random.default_rng(key)
    factor = times * (DS / DS[-1]) ** by
    found = samples.copy()
    shape = samples["norm"].shape
    order = samples["norm"].dims
    values = samples["norm"] * np.exp(noise * rng.normal(size=shape))
    found["norm"] = (values * xr.DataArray(factor, dims="size")).transpose(*order)
    return found


def test_a_run_does_not_differ_from_itself():
    (row,) = compare({"a": stored(), "b": stored()})
    assert (row.difference.value, row.ratio.value, row.shared) == (0, 1, 30)
    assert row.differs is False
    assert row.exponent.value == row.other.value


def test_the_difference_and_the_ratio_are_what_was_put_in():
    (row,) = compare({"a": stored(), "b": steeper(stored(), 0.1, 1.5, noise=0.001)})
    assert row.difference.value == pytest.approx(0.1, abs=2e-3)
    assert row.ratio.value == pytest.approx(1.5, rel=2e-3)
    assert row.d == 192 and row.differs is True
    low, high = row.difference.interval
    assert low < 0.1 < high
    assert row.difference.value == pytest.approx(row.other.value - row.exponent.value)


def test_shared_seeds_shorten_the_interval_and_other_keys_are_not_paired():
    noisy = steeper(stored(), 0.02, noise=0.001)
    (paired,) = compare({"a": stored(), "b": noisy})
    (apart,) = compare({"a": stored(), "b": steeper(stored(key=5), 0.02)})
    assert (paired.shared, apart.shared) == (30, 0)
    assert paired.differs is True and apart.differs is False
    assert apart.difference.half_width > 20 * paired.difference.half_width


@pytest.mark.parametrize("shared", [0, 20, 30])
def test_intervals_cover_where_nothing_differs(shared):
    """Of 200 pairs of runs of 30 and 50 seeds; 0.95 within three standard errors of a share."""
    rng, hits = np.random.default_rng(shared), []
    first, second = stored(30), stored(50)
    if not shared:
        second = second.assign_attrs(
            config=json.dumps(json.loads(second.attrs["config"]) | {"seed": 1})
        )
    second = second.assign_coords(seed=np.arange(50) + (30 - shared if shared else 0))
    for _ in range(200):
        norms = rng.uniform(1, 2, (80, 2))
        start = 30 - shared
        runs = {
            "a": first.assign(norm=first["norm"].copy(data=_as(first, norms[:30]))),
            "b": second.assign(norm=second["norm"].copy(data=_as(second, norms[start:][:50]))),
        }
        (row,) = compare(runs)
        assert row.shared == shared
        low, high = row.difference.interval
        hits.append(low <= 0 <= high)
    assert abs(np.mean(hits) - 0.95) < 3 * 0.0154


def _as(samples, norms):
    """Norms by (seed, size) in the order of a dataset with one width, quantity and order."""
    found = xr.DataArray(norms, dims=("seed", "size"))
    return found.expand_dims(("width", "quantity", "q")).transpose(*samples["norm"].dims).values


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"sizes": (4, 6)}, "a and b have no two sizes in common."),
        ({"quantity": ("logit",)}, "a and b have no norm of one quantity in common."),
    ],
)
def test_what_has_nothing_in_common_is_refused(other, words):
    with pytest.raises(ValueError) as wrong:
        compare({"a": stored(), "b": stored(**other)})
    assert str(wrong.value) == words


def test_single_widths_are_compared_whatever_they_are():
    (row,) = compare({"a": stored(), "b": stored(widths=(16,))})
    assert row.width is None


def test_it_is_said_written_and_drawn(capsys):
    runs = {"one": stored(), "two": steeper(stored(), 0.1), "three": stored(key=5)}
    found = compare(runs)
    said = answer(found)
    assert "1 of 2 exponents DIFFER" in said and said.startswith("two against one, 30 shared seeds")
    assert answer(found[1:]).startswith("three against one, independent seeds: no exponent differs")
    show(printout(found, runs))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100 and "differs" in text and "same" in text
    rows = json.loads(to_json(found, runs))["differences"]
    assert [row["differs"] for row in rows] == [True, False]
    (panel,) = figure_of(runs).axes
    assert len(panel.containers) == 3


def test_the_command(tmp_path, capsys):
    names = [str(tmp_path / name) for name in ("a", "b")]
    for name, samples in zip(names, (stored(), steeper(stored())), strict=True):
        config = json.loads(samples.attrs["config"])
        blank = samples.drop_vars("finished")
        with store.opened(name, config, lambda _, x=blank: x, store.Where("cpu")):
            pass
    figure = tmp_path / "both.svg"
    assert report.main([*names, "--compare", "--figure", str(figure), "--json", "-"]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)["differences"]) == 1 and figure.stat().st_size > 3000
    for bad in ([names[0]], [names[0], names[0]], [*names, "--html", str(tmp_path / "x.html")]):
        with pytest.raises(SystemExit) as stop:
            report.main([*bad, "--compare"])
        assert stop.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
