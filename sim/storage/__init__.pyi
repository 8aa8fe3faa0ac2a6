from .merge import read
from .refusals import RunError
from .store import Run, opened

__all__ = ["Run", "RunError", "opened", "read"]
