"""From seeds to samples: inputs, chunks, devices, hosts, with common random numbers.

Imports `sim.models`, `sim.networks` and what is below them.
"""
