"""What must hold: the √d law of input gradients, derived with SymPy. Never imports jax."""

from theory import architectures
from theory.law import Law, predict

__all__ = ["Law", "architectures", "predict"]
