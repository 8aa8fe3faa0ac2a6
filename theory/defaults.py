"""`python -m theory.defaults`: what the default initialization of a library implies.

For each library's default and each kind of network: the energy gain κ of every layer type, how
E‖∂f_k/∂x‖_q grows with d, and the size of the gradient against He initialization.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from rich import box
from rich.table import Table

from theory import architectures
from theory.arguments import Parser
from theory.console import for_tables, one_sentence, run
from theory.initializers import Scheme
from theory.laws.energy import gain
from theory.laws.parts import d
from theory.laws.prediction import exponent, second_moment
from theory.network import Conv, Dense, Network
from theory.registry import counts

CHANNELS = 3
SIDES = (32, 64, 128, 224)


@dataclass(frozen=True)
class Default:
    """What a library does unless told otherwise: a scheme of `theory.initializers`."""

    library: str
    scheme: Scheme
    says: str
    """Where the library says so, and what."""


DEFAULTS = (
    Default("He (for comparison)", Scheme("he"), "normal of variance 2/fan_in; He et al. (2015)"),
    Default(
        "PyTorch",
        Scheme("pytorch"),
        "`torch.nn.Linear` and `Conv2d`: `kaiming_uniform_(a=√5)`, uniform on ±1/√fan_in",
    ),
    Default(
        "Flax",
        Scheme("flax"),
        "`linen` and `nnx` layers: `lecun_normal`, truncated normal of variance 1/fan_in",
    ),
    Default(
        "Keras",
        Scheme("glorot"),
        "`Dense` and `Conv2D`: `glorot_uniform` of variance 2/(fan_in + fan_out); in a "
        "convolution both fans count the k² pixels of the kernel",
    ),
    Default(
        "ViT, GPT-2, BERT",
        Scheme("constant"),
        "`initializer_range` of Transformers: standard deviation 0.02 in every layer",
    ),
)


def networks(scheme: Scheme, width: int, channels: int) -> dict[str, Network]:
    """One network for each kind of first layer and head, by its title."""
    counts(width=width, channels=channels)
    return {
        "mlp": architectures.mlp(width=width, init=scheme),
        "cnn, dense head": architectures.cnn(width=channels, init=scheme),
        "cnn, global average": architectures.cnn(width=channels, head="gap", init=scheme),
    }


@dataclass(frozen=True)
class Growth:
    """How the input gradient of one network grows, in the limit of large width."""

    exponent: sp.Expr
    """Of d in E‖∂f_k/∂x‖_q as d → ∞, an expression in q."""
    energy_exponent: sp.Expr
    """Of d in E‖∂f_k/∂x‖_2² as d → ∞."""
    slopes: tuple[float, ...]
    """Of log E‖∂f_k/∂x‖_1 on log d between neighbouring sides; another q < ∞ adds 1/q − 1."""
    ratio: float
    """√(E‖∂f_k/∂x‖_2²) at the largest side, relative to He initialization: the same for all q."""


def growth(network: Network, he: Network, sides: Sequence[int]) -> Growth:
    """The growth of a network over increasing image sides, compared with its twin under He.

    Raises ValueError for fewer than two sides.
    """
    if len(sides) < 2 or sorted(set(sides)) != list(sides):
        raise ValueError("slopes need at least two different sides.")
    for side in sides:
        counts(side=side)
    q = sp.Symbol("q", positive=True)
    energy, reference = second_moment(network), second_moment(he)
    ds = [network.channels * side**2 for side in sides]
    values = [float(energy.subs(d, x)) for x in ds]
    slopes = np.diff(np.log(values)) / np.diff(np.log(np.array(ds, float))) / 2 + 0.5
    return Growth(
        exponent=exponent(network, q),
        energy_exponent=2 * exponent(network, 2),
        slopes=tuple(slopes.tolist()),
        ratio=float(np.sqrt(values[-1] / float(reference.subs(d, ds[-1])))),
    )


def gains(scheme: Scheme) -> dict[str, sp.Expr]:
    """κ of each kind of layer of weights, without the 1/2 of a ReLU behind it.

    d inputs, w units, F features in front of a dense head, c channels, K logits, as symbols.
    """
    w, features, c, classes = sp.symbols("w F c K", positive=True)
    hidden, last = scheme.hidden(sp.Rational(1, 2)), scheme.last()
    side = sp.Symbol("s", positive=True)
    layers: dict[str, sp.Expr] = {
        "dense d → w": gain(Dense(w, hidden), (d,)),
        "dense w → w": gain(Dense(w, hidden), (w,)),
        "3×3 convolution 3 → c": gain(Conv(c, hidden), (side, side, CHANNELS)),
        "3×3 convolution c → c": gain(Conv(c, hidden), (side, side, c)),
        "dense head F → K": gain(Dense(classes, last), (features,)),
        "head c → K behind a global average": gain(Dense(classes, last), (c,)),
    }
    return {name: sp.cancel(value) for name, value in layers.items()}


def rows_of_gains() -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of energy gains."""
    tables = {default.library: gains(default.scheme) for default in DEFAULTS}
    header = ["layer", *tables]
    kinds = next(iter(tables.values()))
    return header, [[kind, *(_text(table[kind]) for table in tables.values())] for kind in kinds]


def rows_of_growth(
    width: int, channels: int, sides: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of growth: one row for each network and default."""
    header = [
        "network",
        "default",
        "E‖∂f‖₂²",
        "E‖∂f‖_q",
        f"slopes of ‖∂f‖₁, sides {', '.join(map(str, sides))}",
        f"norm / He, side {max(sides)}",
    ]
    he = networks(Scheme("he"), width, channels)
    rows = []
    for title in he:
        for default in DEFAULTS:
            found = growth(networks(default.scheme, width, channels)[title], he[title], sides)
            rows.append(
                [
                    title,
                    default.library,
                    _power(found.energy_exponent),
                    _power(found.exponent),
                    ", ".join(f"{round(slope, 3) + 0:.3f}" for slope in found.slopes),
                    f"{found.ratio:.3g}",
                ]
            )
    return header, rows


def _text(expression: sp.Expr) -> str:
    return str(expression).replace("*", "·")


def _power(power: sp.Expr) -> str:
    if power == 0:
        return "constant"
    q = sp.Symbol("q", positive=True)
    shift = power - 1 / q if power.has(q) else power
    shown = str(shift).replace("-", "− " if power.has(q) else "−")
    if power.has(q):
        shown = "1/q" if shift == 0 else f"1/q {shown}"
    return f"d^({shown})" if shown != "1" else "d"


def markdown(width: int, channels: int, sides: Sequence[int]) -> str:
    """The whole answer as a Markdown page."""
    parts = [
        "# What the default initialization implies",
        _INTRODUCTION.format(width=width, channels=channels),
        "## The defaults",
        _markdown_table(
            ["library", "`--init`", "what it says"],
            [[x.library, f"`{x.scheme.name}`", x.says] for x in DEFAULTS],
        ),
        "## Energy gain κ of each layer",
        "κ = fan-in · Var(w). A ReLU behind the layer halves it; E‖∂f_k/∂x‖₂² is the product. "
        "d inputs, w units, c channels, F features in front of a dense head, K logits. A global "
        "average over P positions divides by P.",
        _markdown_table(*rows_of_gains()),
        "## Growth of the input gradient",
        _GROWTH.format(d=CHANNELS * max(sides) ** 2),
        _markdown_table(*rows_of_growth(width, channels, sides)),
    ]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
This page is printed by `python -m theory.defaults --markdown`; `python -m theory initialization`
derives it. Networks: `mlp` with 3 hidden layers of {width} units, and `cnn` with 4 convolutions of
{channels} channels and either head, for images of 3 channels. Biases and normalization layers are
left out, so this says what the weights alone imply. A transformer is none of these networks: the
row of the constant 0.02 says what that constant does to them."""

_GROWTH = """\
Powers of d as d → ∞; the slopes of log E‖∂f_k/∂x‖₁ on log d between neighbouring sides (for another
q < ∞ they are 1/q − 1 more); and the norm at d = {d} divided by that of the same network under He
initialization, which is the same for all q. In the limit of large width, away from borders."""


def _markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _table(title: str, header: list[str], rows: list[list[str]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def main(args: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    parser = Parser(
        "python -m theory.defaults",
        "What the default initialization of each library implies for the gradient.",
    )
    parser.add_argument("--width", type=int, default=1024, help="hidden units (default: 1024)")
    parser.add_argument("--channels", type=int, default=64, help="of a convolution (default: 64)")
    parser.add_argument(
        "--sides",
        type=int,
        nargs="+",
        default=SIDES,
        help=f"image sides, at least two (default: {' '.join(map(str, SIDES))})",
    )
    parser.add_argument("--markdown", action="store_true", help="print a Markdown page")
    chosen = parser.read(args)
    options = chosen.width, chosen.channels, sorted(chosen.sides)
    with one_sentence():
        page, (header, rows) = "", rows_of_growth(*options)
        if chosen.markdown:
            page = markdown(*options)
    if chosen.markdown:
        sys.stdout.write(page)
        return 0
    console = for_tables(120)
    console.print(_table("energy gain κ of each layer", *rows_of_gains()))
    console.print(_table("growth of E‖∂f_k/∂x‖_q with d", header, rows))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
