"""Runs and studies on disk and at URLs, with the provenance of their samples.

`store` writes runs of random networks and `studies` writes studies of training; both are described
alike (`descriptions`, `attributes`), under `checksums`. `layout` knows the files of a run, `damage`
which of them are not what was written, `folder` the places where it can be, `leftovers` what a
killed process leaves there, `earlier` the format before; `merge` reads runs back and joins them;
`refusals` says what goes wrong.

Needs no jax. May import `sim.running`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
