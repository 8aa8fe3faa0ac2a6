"""What the statements of `theory.statements` claim, simulated: a small simulation for each of them.

A statement's simulation stands in the module that is named like the one of its derivation, and in
the list `sim.statements.simulations`. May import `sim.sampling`, `sim.statistics` and what is below
them, and `theory`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
