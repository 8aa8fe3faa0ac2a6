from .gradients import gradient_norms, norm
from .layers import apply, init

__all__ = ["apply", "gradient_norms", "init", "norm"]
