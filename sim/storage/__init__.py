"""Runs on disk and at URLs, with the provenance of their samples. Without jax."""
