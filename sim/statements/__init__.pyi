from .configuration import Config, check
from .experiment import contradicted, run
from .outcome import Outcome, Settings

__all__ = ["Config", "Outcome", "Settings", "check", "contradicted", "run"]
