"""Whether the intervals and verdicts of reports mean what they say.

Runs whose truth is known (`known_laws`) are simulated many times over: how often do the intervals
of a report cover, how often does a report whose laws all hold contradict one, and how small a
violation does it find? May import `sim.statistics` and what is below it; needs no jax.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
