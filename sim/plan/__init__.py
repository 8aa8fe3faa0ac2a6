"""What an experiment on random networks will do: its configuration, networks, sizes and sampler.

Imports `theory`, and what `sim.sampling` and `sim.running` have that needs no jax.
"""
