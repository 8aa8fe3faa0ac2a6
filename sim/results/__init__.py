"""The tables of results in README.md and docs/architectures.md, printed again."""
