"""What `sim.<TAB>` and `theory.<TAB>` show, and how results are shown in a notebook."""

import json

import numpy as np
import pytest
import xarray as xr

import sim
import theory
from sim import scaling, statistics, vulnerability
from sim.scaling.configuration import Config, planned
from sim.scaling.dataset import labelled, predictions
from sim.statistics.fits import verdict


@pytest.fixture(scope="module")
def samples():
    """A run of an mlp whose norms nobody sampled, 9 % above the law."""
    plan = planned(Config(arch="mlp", widths=(8, 16), sizes=(4, 8), seeds=30, norms=("1", "inf")))
    law = predictions(plan)
    spread = np.random.default_rng(0).uniform(0.9, 1.1, 30)
    spread /= spread.mean()
    size = law["predicted"].transpose("width", "size", "quantity", "q").values
    return labelled(plan, 1.09 * np.moveaxis(size[..., None] * spread, -1, 2), law)


@pytest.mark.parametrize("package", [sim, theory])
def test_a_face_shows_what_users_need_and_nothing_else(package):
    shown = set(dir(package))
    assert shown == set(package.__all__)
    assert all(getattr(package, name) is not None for name in shown)
    assert not shown & {"running", "storage", "sampling", "drawing", "lazy_loader", "console"}


def test_what_is_not_shown_can_be_imported():
    from sim import drawing, sampling, storage  # noqa: F401


def test_fits_print_as_a_table(samples):
    fits = statistics.fit(samples)
    lines = repr(fits).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(name in repr(fits) for name in ("mlp", "exponent", "predicted", "1.09 times"))
    page = fits._repr_html_()
    assert page.count("<tr>") == 1 + len(fits) == 5
    for fit in fits:
        assert f"{fit.exponent.value:.3f}"[:5] in page and verdict(fit) in page
    assert fits[0] in fits and fits == list(fits)


def test_fits_become_a_dataframe(samples):
    fits = statistics.fit(samples)
    table = fits.to_dataframe()
    assert len(table) == len(fits)
    for (_, row), fit in zip(table.iterrows(), fits, strict=True):
        assert (row["width"], row["q"], row["seeds"]) == (fit.width, fit.q, 30)
        assert (row["exponent"], row["low"], row["high"]) == (
            fit.exponent.value,
            *fit.exponent.interval,
        )
        assert row["ratio"] == fit.ratio.value and row["predicted"] == fit.predicted
        assert row["verdict"] == verdict(fit)
    chosen = table.query("width == 16 and q == 'inf'")
    assert chosen["exponent"].item() == fits[-1].exponent.value
    model = samples.assign_attrs(
        config=json.dumps(json.loads(samples.attrs["config"]) | {"model": "mine:model"})
    ).isel(width=[0])
    assert statistics.fit(model).to_dataframe()["width"].isna().all()
    assert len(statistics.fits.Fits([]).to_dataframe()) == 0


def test_any_run_is_drawn(samples):
    figure = scaling.plot(samples)
    assert figure._repr_png_().startswith(b"\x89PNG")
    panels = figure.axes
    assert len(panels) == 2
    for panel, q in zip(panels, ("1", "inf"), strict=True):
        lines = {tuple(line.get_ydata()) for line in panel.lines}
        for width in (8, 16):
            law = samples["predicted"].sel(width=width, quantity="loss", q=q).values
            assert any(len(line) == len(law) and np.allclose(line, law) for line in lines)
    assert callable(vulnerability.plot)


def test_a_run_of_which_nothing_is_finite_is_drawn_too(samples):
    nothing = samples.assign(norm=xr.full_like(samples["norm"], np.nan))
    assert scaling.plot(nothing)._repr_png_().startswith(b"\x89PNG")
