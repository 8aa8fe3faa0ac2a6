from . import style as style

__all__ = ["style"]
