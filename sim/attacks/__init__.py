"""Steepest ascent, projected ascent, and the damage that they do.

Imports `sim.networks`.
"""
