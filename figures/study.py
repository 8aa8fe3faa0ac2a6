"""The study of training that several figures draw."""

import xarray as xr

from figures.runs import Runs
from sim.storage import attributes
from sim.storage.refusals import RunError
from sim.training import stored


def read(runs: Runs) -> xr.Dataset:
    """The study in the folder `runs.study`.

    Raises RunError if there is none, or if it has no attacks that projected ascent knows.
    """
    samples = stored(str(runs.study))
    if not {"1", "2", "inf"} & set(samples["p"].values.tolist()):
        raise RunError(f"{runs.study} was not attacked in ℓ_1, ℓ_2 or ℓ_∞, which figures show.")
    runs.used["training"] = attributes.configuration(samples.attrs)
    return samples
