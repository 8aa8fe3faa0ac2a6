"""Whether intervals and verdicts mean what they say: `python -m sim.calibration`."""
