from .configuration import Config, check
from .experiment import contradicted, run
from .outcome import Outcome, Settings
from .sweeps import SWEEPS, Sweep

__all__ = [
    "SWEEPS",
    "Config",
    "Outcome",
    "Settings",
    "Sweep",
    "check",
    "contradicted",
    "run",
]
