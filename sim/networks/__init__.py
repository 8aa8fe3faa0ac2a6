"""A described network as functions of JAX: its layers, its weights, its input gradients.

Imports `theory` and `sim.running`.
"""
