"""Runs and studies on disk and at URLs, with the provenance of their samples.

`store` writes runs of random networks and `studies` writes studies of training; `layout` knows the
files of a run, `folder` the places where it can be, `merge` reads runs back and joins them,
`attributes` encodes what datasets say of themselves, `refusals` says what goes wrong.

Needs no jax. May import `sim.running`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
