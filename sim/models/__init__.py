"""Other people's networks, of JAX, Flax or Equinox, as pairs (init, apply).

Imports `sim.networks` and what is below it.
"""
