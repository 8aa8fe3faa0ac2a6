"""What must hold: the √d law of input gradients, derived with SymPy. Never imports jax."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory import architectures
    from theory.law import Law, predict

__all__ = ["Law", "architectures", "predict"]


def __getattr__(name: str) -> Any:
    # SciPy's integrals take half a second to import, which no --help should wait for
    if name in ("Law", "predict"):
        from theory import law

        return getattr(law, name)
    raise AttributeError(f"module 'theory' has no attribute '{name}'")
