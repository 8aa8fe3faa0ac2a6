"""Numerical checks of the paper's statements, one small simulation for each."""
