"""What an experiment on random networks will do: its configuration, its networks and sizes.

Imports `theory` and what needs no jax.
"""
