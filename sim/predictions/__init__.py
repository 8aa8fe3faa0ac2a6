"""What is expected of a network: its law, or gradient independence.

Imports `sim.independence` and what is below it.
"""
