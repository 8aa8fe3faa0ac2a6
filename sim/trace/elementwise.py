"""Elementwise primitives of JAX in NumPy and SciPy, with their slopes.

Both tables have, by the name of a primitive, a function of its parameters: the first gives the
function of its operands, the second its derivatives by each operand (None where it has none), as a
function of the operands and of the value; ±1 where it is that everywhere.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from sim.trace.walk import array

Function = Callable[..., Any]
Made = Callable[[dict[str, Any]], Function]

FUNCTIONS: dict[str, Made] = {}
SLOPES: dict[str, Made] = {}


def _is_float(dtype: Any) -> bool:
    return np.issubdtype(dtype, np.floating)


def _define(name: str, function: Function, slopes: Function | None = None) -> None:
    """A primitive without parameters that matter."""
    FUNCTIONS[name] = lambda parameters: quiet(function)
    if slopes is not None:
        SLOPES[name] = lambda parameters: quiet(slopes)


def quiet(function: Function) -> Function:
    """The function without NumPy's warnings: JAX gives inf and NaN in silence."""

    def silent(*values: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*values)

    return silent


ROOT = 2 / np.sqrt(np.pi)

for _name, _function, _slope in (
    ("abs", np.abs, lambda x, y: (np.sign(x),)),
    ("neg", np.negative, lambda x, y: (-1,)),
    ("exp", np.exp, lambda x, y: (y,)),
    ("exp2", np.exp2, lambda x, y: (y * np.log(2).astype(y.dtype),)),
    ("expm1", np.expm1, lambda x, y: (y + 1,)),
    ("log", np.log, lambda x, y: (1 / x,)),
    ("log1p", np.log1p, lambda x, y: (1 / (1 + x),)),
    ("sqrt", np.sqrt, lambda x, y: (0.5 / y,)),
    ("rsqrt", lambda x: 1 / np.sqrt(x), lambda x, y: (-0.5 * y / x,)),
    ("cbrt", np.cbrt, lambda x, y: (y / (3 * x),)),
    ("square", np.square, lambda x, y: (2 * x,)),
    ("logistic", special.expit, lambda x, y: (y * (1 - y),)),
    ("tanh", np.tanh, lambda x, y: (1 - y * y,)),
    ("sin", np.sin, lambda x, y: (np.cos(x),)),
    ("cos", np.cos, lambda x, y: (-np.sin(x),)),
    ("tan", np.tan, lambda x, y: (1 + y * y,)),
    ("sinh", np.sinh, lambda x, y: (np.cosh(x),)),
    ("cosh", np.cosh, lambda x, y: (np.sinh(x),)),
    ("asin", np.arcsin, lambda x, y: (1 / np.sqrt(1 - x * x),)),
    ("acos", np.arccos, lambda x, y: (-1 / np.sqrt(1 - x * x),)),
    ("atan", np.arctan, lambda x, y: (1 / (1 + x * x),)),
    ("asinh", np.arcsinh, lambda x, y: (1 / np.sqrt(1 + x * x),)),
    ("acosh", np.arccosh, lambda x, y: (1 / np.sqrt(x * x - 1),)),
    ("atanh", np.arctanh, lambda x, y: (1 / (1 - x * x),)),
    ("erf", special.erf, lambda x, y: (ROOT.astype(y.dtype) * np.exp(-x * x),)),
    ("erfc", special.erfc, lambda x, y: (-ROOT.astype(y.dtype) * np.exp(-x * x),)),
    ("erf_inv", special.erfinv, lambda x, y: (np.exp(y * y) / ROOT.astype(y.dtype),)),
    ("add", np.add, lambda a, b, y: (1, 1)),
    ("add_any", np.add, lambda a, b, y: (1, 1)),
    ("sub", np.subtract, lambda a, b, y: (1, -1)),
    ("max", np.maximum, lambda a, b, y: ((a >= b) * 1, (a < b) * 1)),
    ("min", np.minimum, lambda a, b, y: ((a <= b) * 1, (a > b) * 1)),
    ("pow", np.power, lambda a, b, y: (b * np.power(a, b - 1), y * np.log(a))),
    ("atan2", np.arctan2, lambda a, b, y: (b / (a * a + b * b), -a / (a * a + b * b))),
    ("stop_gradient", lambda x: x, None),
    ("sign", np.sign, None),
    ("floor", np.floor, None),
    ("ceil", np.ceil, None),
    ("is_finite", np.isfinite, None),
    ("eq", np.equal, None),
    ("ne", np.not_equal, None),
    ("lt", np.less, None),
    ("le", np.less_equal, None),
    ("gt", np.greater, None),
    ("ge", np.greater_equal, None),
    ("not", np.invert, None),
    ("and", np.bitwise_and, None),
    ("or", np.bitwise_or, None),
    ("xor", np.bitwise_xor, None),
    ("shift_left", np.left_shift, None),
    ("nextafter", np.nextafter, None),
):
    _define(_name, _function, _slope)

for _name in ("copy", "copy_p", "name", "optimization_barrier", "reduce_precision"):
    _define(_name, lambda x: x, lambda x, y: (1,))


def _quotient(a: Any, b: Any) -> Any:
    if _is_float(np.result_type(a, b)):
        return a / b
    return np.trunc(a / b).astype(np.result_type(a, b))


_define("div", _quotient, lambda a, b, y: (1 / b, -y / b))


def _shifted(a: Any, b: Any) -> Any:
    """Bits move in as zeros."""
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    return (a.view(unsigned) >> b.astype(unsigned)).view(a.dtype)


_define("shift_right_logical", _shifted)
_define("shift_right_arithmetic", lambda a, b: a >> b)


def _power(parameters: dict[str, Any]) -> Function:
    n = parameters["y"]
    return quiet(lambda x: _raised(x, n))


def _power_slope(parameters: dict[str, Any]) -> Function:
    n = parameters["y"]
    return quiet(lambda x, y: (n * _raised(x, n - 1),))


def _raised(x: Any, n: int) -> Any:
    """x^n by products: NumPy's own power is many times slower."""
    if n < 0:
        return 1 / _raised(x, -n)
    if n > 8:
        return x**n
    result: Any = 1 if n == 0 else x
    for _ in range(n - 1):
        result = result * x
    return result


FUNCTIONS["integer_pow"], SLOPES["integer_pow"] = _power, _power_slope


def _converted(parameters: dict[str, Any]) -> Function:
    """Arithmetic stays that of NumPy: double precision is kept, less than single is not used.

    Infinite and too large numbers have no integer; NumPy would warn.
    """
    dtype = parameters["new_dtype"]

    def function(x: Any) -> Any:
        if str(dtype).startswith(("bfloat", "float")):
            return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)
        return x.astype(dtype)

    return quiet(function)


FUNCTIONS["convert_element_type"] = _converted
SLOPES["convert_element_type"] = lambda parameters: lambda x, y: (1,)


def _rounded(parameters: dict[str, Any]) -> Function:
    """Half to even, or away from zero."""
    if "EVEN" in str(parameters.get("rounding_method")).upper():
        return np.round
    return lambda x: np.trunc(x + np.copysign(0.5, x))


FUNCTIONS["round"] = _rounded
FUNCTIONS["bitcast_convert_type"] = lambda p: (
    lambda x: array(np.ascontiguousarray(x).view(p["new_dtype"]))
)


def _selected(which: Any, *cases: Any) -> Any:
    number = which.astype(int)
    result = cases[0]
    for i, case in enumerate(cases[1:], 1):
        result = np.where(number == i, case, result)
    return result


def _selected_slopes(which: Any, *rest: Any) -> Any:
    *cases, _ = rest
    return None, *((which.astype(int) == i) * 1 for i in range(len(cases)))


_define("select_n", _selected, _selected_slopes)
_define(
    "clamp",
    lambda low, x, high: np.minimum(np.maximum(x, low), high),
    lambda low, x, high, y: ((x < low) * 1, ((x >= low) & (x <= high)) * 1, (x > high) * 1),
)
