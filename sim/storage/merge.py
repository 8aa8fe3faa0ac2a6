"""Stored runs read back, and merged if they differ only in their seeds. Without jax."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from sim.running.needs import BASE, Needs
from sim.statistics.verdicts import seeds_together
from sim.storage import attributes, damage, descriptions, layout
from sim.storage.folder import Folder
from sim.storage.folder import folder as open_folder
from sim.storage.refusals import RunError, flag


def read(path: str) -> xr.Dataset:
    """The samples of a stored run, sizes in increasing order: what the experiment's `run` returned.

    Args:
        path: The folder or URL of the run.

    Returns:
        The dataset; its variable `finished` says which samples there are.

    Raises:
        RunError: The place holds no run, or chunks of it are damaged.
    """
    folder = open_folder(path)
    found = descriptions.document(folder)
    kept = found["attributes"]
    if attributes.experiment(kept) == "training":
        raise RunError(
            f"{folder} holds a study of training: python -m sim.training_report reports it."
        )
    Needs(f"the samples in {folder}", BASE + layout.size(found), 0).refuse()
    samples = _whole(folder, found)
    config = _config(samples)
    samples.attrs |= attributes.encoded(config | {"sizes": sorted(config["sizes"])})
    samples.attrs["experiment"] = attributes.experiment(samples.attrs)
    return samples.sortby("size")


def _whole(folder: Folder, found: dict[str, Any]) -> xr.Dataset:
    """All of a run, if nothing is damaged."""
    kept, places, samples = found["attributes"], [], None
    try:
        if kept["format"] != descriptions.FORMAT or layout.is_whole(folder, found):
            places = damage.damaged(folder, kept)
            samples = layout.open_zarr(folder)
            samples["finished"].load()  # before the samples, which another process may be adding
            samples = _without_objects(samples.load())
    except Exception:  # whatever a library makes of damaged files
        samples = None
    if samples is None or places:
        what = ""
        if samples is not None:
            at = samples["width"].values.tolist(), samples["size"].values.tolist()
            others = f" and {len(places) - 1} others" if len(places) > 1 else ""
            what = f" at {damage.named(places[0], *at)}{others}"
        raise RunError(
            f"{folder} is damaged{what}; the command that wrote it computes again what is lost."
        )
    return samples.drop_vars("checksum", errors="ignore")


def _without_objects(samples: xr.Dataset) -> xr.Dataset:
    """Strings of fixed length, as they were before they were stored."""
    for name, words in samples.variables.items():
        if words.dtype.kind in "OT":
            plain = words.values.tolist()
            if descriptions.has_controls(plain):
                raise ValueError
            samples[name] = words.dims, np.array(plain), words.attrs
    return samples


def finished(samples: xr.Dataset) -> xr.Dataset:
    """The seeds of which all samples are there.

    Raises:
        RunError: There are fewer than two.
    """
    whole = samples["finished"].all(("width", "size"))
    if whole.sum() < 2:
        raise RunError(f"only {int(whole.sum())} of {whole.size} seeds are finished.")
    return samples.sel(seed=whole)


def merge(runs: Sequence[tuple[str, xr.Dataset]]) -> xr.Dataset:
    """One dataset of several named runs that differ only in their seeds.

    Samples with the same key and seed are one sample: they are counted once. Runs with different
    keys are independent: their seeds are numbered on, with the key as a coordinate. The prediction
    is the first run's, which has no random numbers in common with the others. A sample that is
    finished in one run is finished. To report an unfinished run is to look at it.

    Args:
        runs: Names, for messages, and datasets as `read` returns them.

    Raises:
        RunError: The runs differ in something else, which the message names, or contradict each
            other.
    """
    by_key: dict[int, tuple[str, xr.Dataset]] = {}
    (first, start), *_ = runs
    for name, samples in runs:
        kinds = [attributes.experiment(run.attrs) for run in (start, samples)]
        if kinds[0] != kinds[1]:
            raise RunError(f"{first} and {name} are runs of sim.{kinds[0]} and sim.{kinds[1]}.")
        _refuse_differences(first, _config(start), name, _config(samples))
        computations = [attributes.computations(run.attrs) for run in (start, samples)]
        if any(computations[1].get(size, x) != x for size, x in computations[0].items()):
            raise RunError(
                f"{first} and {name} hold samples of different models of one name, "
                f"{_config(start)['model']}."
            )
        key = _config(samples)["seed"]
        by_key[key] = (name, _united(*by_key[key], name, samples) if key in by_key else samples)
    parts = [
        samples.assign_coords(key=("seed", np.full(samples.sizes["seed"], key)))
        for key, (_, samples) in by_key.items()
    ]
    together = parts[0]
    if len(parts) > 1:
        parts = list(map(_unpaired, parts))
        together = xr.concat(
            parts, "seed", data_vars="minimal", coords="minimal", compat="override", join="exact",
            combine_attrs="override",
        )  # fmt: skip
        together["seed"] = np.arange(together.sizes["seed"])
    keys = list(by_key)
    config = _config(start) | {
        "seeds": together.sizes["seed"],
        "seed": keys[0] if len(keys) == 1 else keys,
    }
    together = together.assign_attrs(attributes.encoded(config))
    looks = {seeds for _, run in runs for seeds in attributes.extended_from(run.attrs)}
    looks |= _unfinished(together["finished"])
    return together.assign_attrs({attributes.EXTENDED_FROM: sorted(looks)} if looks else {})


def _unfinished(finished: xr.DataArray) -> set[int]:
    """The number of seeds of an unfinished run: whoever reads its report may end it there."""
    seeds = finished.sum("seed")
    return set() if bool(finished.all()) or not seeds.any() else {int(seeds.where(seeds > 0).min())}


def _unpaired(samples: xr.Dataset) -> xr.Dataset:
    """The samples without the norms that their prediction is the mean of, only their number."""
    if "independent" not in samples:
        return samples
    found = samples.drop_vars(["independent", "network"], errors="ignore")
    networks = samples.sizes["network"] // seeds_together(samples)
    error = found["predicted_slope_error"].assign_attrs(networks=networks)
    return found.assign(predicted_slope_error=error)


def _united(first: str, one: xr.Dataset, second: str, other: xr.Dataset) -> xr.Dataset:
    """Two runs with the same key: each sample from the run where it is finished."""
    long, short = (one, other) if one.sizes["seed"] >= other.sizes["seed"] else (other, one)
    flags = short["finished"].reindex(seed=long["seed"]) == 1  # NaN where there is no seed
    united = {}
    for name in layout.sampled(long):
        there = short[name].reindex(seed=long["seed"])
        same = (there == long[name]) | (np.isnan(there) & np.isnan(long[name]))
        if not bool(same.where(flags & long["finished"], True).all()):
            raise RunError(f"{first} and {second} have the same --seed, but other samples for it.")
        united[name] = long[name].where(long["finished"], there)
    return long.assign(united | {"finished": long["finished"] | flags})


def _refuse_differences(
    first: str, one: dict[str, Any], second: str, other: dict[str, Any]
) -> None:
    for name in {**one, **other}:
        here, there = one.get(name), other.get(name)
        if name in ("widths", "sizes"):
            here, there = sorted(here or ()), sorted(there or ())
        if name not in ("seed", "seeds") and here != there:
            raise RunError(
                f"{first} and {second} differ in more than their seeds: {flag(name, here)} "
                f"and {flag(name, there)}."
            )


def _config(samples: xr.Dataset) -> dict[str, Any]:
    return attributes.configuration(samples.attrs)
