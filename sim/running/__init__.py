"""How every command runs: flags, progress, compiled functions, memory.

Imports `theory` alone.
"""
